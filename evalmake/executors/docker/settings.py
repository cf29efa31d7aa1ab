"""What `backend = docker` may say."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

from evalmake.executors.gpu_devices import Gpus
from evalmake.executors.setting_types import Bare, Mounts
from evalmake.language.values import Size
from evalmake.project.key_types import Block

_HOST = re.compile(r"unix:///\S+|tcp://\S+:\d+|ssh://[^\s/]+(/\S*)?")


def _reachable(host: str | None) -> str | None:
    if host is not None and not (_HOST.fullmatch(host) and _has_parts(host)):
        raise ValueError("an engine is at unix:///SOCKET, tcp://HOST:PORT or ssh://[USER@]HOST")
    return host


def _has_parts(host: str) -> bool:
    """Whether its address can be one: a port is a number below 65,536."""
    try:
        parts = urlsplit(host)
        return parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0)
    except ValueError:
        return False


def _elsewhere(mounts: tuple[str, ...]) -> tuple[str, ...]:
    for mount in mounts:
        if PurePosixPath(mount.split(":")[1]) == PurePosixPath("/evalmake"):
            raise ValueError("/evalmake is the job's own folder: mount elsewhere")
    return mounts


class Settings(Block):
    """`image` is what evaluations run in whose benchmark names none; it is no part of what they are.

    `gpus` are those that jobs may have; a job has as many as its `resources` say.
    `mounts` are folders of the engine's host, read-only unless they end in `:rw`; `user` is whom jobs run
    as, by default whom the image says.
    """

    host: Annotated[str | None, AfterValidator(_reachable)] = None
    image: str | None = None
    gpus: Gpus = None
    shm: Size | None = None
    network: Annotated[Literal["open", "gateway"], Bare] = "open"
    pull: Annotated[Literal["missing", "always", "never"], Bare] = "missing"
    user: str | None = None
    mounts: Annotated[Mounts, AfterValidator(_elsewhere)] = ()
