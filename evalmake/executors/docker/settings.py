"""The settings of `backend = docker`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

from evalmake.executors.gpu_devices import Gpus
from evalmake.executors.setting_types import Mounts, Unquoted
from evalmake.language.values import Size
from evalmake.project.key_types import Block, define_key

_SHARED_MEMORY = Size.parse("16GiB")
"""PyTorch and vLLM pass tensors among processes in it, and fail with the 64 MB that an engine gives by itself."""
_HOST = re.compile(r"unix:///\S+|tcp://\S+:\d+|ssh://[^\s/]+(/\S*)?")


def _check_host(host: str | None) -> str | None:
    if host is not None and not (_HOST.fullmatch(host) and _has_valid_parts(host)):
        raise ValueError("write the address of an engine as unix:///SOCKET, tcp://HOST:PORT or ssh://[USER@]HOST")
    return host


def _has_valid_parts(host: str) -> bool:
    """Return whether an address has a host name and a valid port, as far as it needs them."""
    try:
        parts = urlsplit(host)
        return parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0)
    except ValueError:
        return False


def _check_mounts(mounts: tuple[str, ...]) -> tuple[str, ...]:
    for mount in mounts:
        if PurePosixPath(mount.split(":")[1]) == PurePosixPath("/evalmake"):
            raise ValueError("/evalmake is the folder of the job itself: use another target")
    return mounts


class Settings(Block):
    """Jobs are containers of a Docker engine, here or on another host."""

    host: Annotated[str | None, AfterValidator(_check_host)] = define_key(
        None,
        "The address of the container engine.",
        '"ssh://me@gpu-box"',
        unset="$DOCKER_HOST, else the engine of this machine",
    )
    image: str | None = define_key(None, "The image for benchmarks that name none.", '"acme/evals:1"')
    gpus: Gpus = define_key(None, "The GPUs that jobs share: how many, all, or their ids.", '"all"', unset="none")
    shm: Size = define_key(
        _SHARED_MEMORY,
        "How much shared memory, /dev/shm, a container may use: a most, none of it is set aside.",
        "64GiB",
    )
    network: Annotated[Literal["open", "gateway"], Unquoted] = define_key(
        "open", "What a job can reach: everything, or only the gateway.", "gateway"
    )
    pull: Annotated[Literal["missing", "always", "never"], Unquoted] = define_key(
        "missing", "When an image is pulled from its registry.", "always"
    )
    user: str | None = define_key(
        None, "The user and group that jobs run as.", '"1000:1000"', unset="the user of the image"
    )
    mounts: Annotated[Mounts, AfterValidator(_check_mounts)] = define_key(
        (),
        "Folders of the host of the engine that jobs see; read-only unless they end in `:rw`.",
        '["/data/public:/data"]',
    )
