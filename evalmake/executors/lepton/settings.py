"""What `backend = lepton` may say."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from evalmake.executors.lepton.resource_names import RESERVED
from evalmake.language.values import Duration, SecretRef
from evalmake.project.key_types import Block, Real, Texts

_VOLUME = r"(node-local|node-[a-z0-9]+:[^:/]+)"
_WORK = re.compile(rf"{_VOLUME}:/[^:]*")
_MOUNT = re.compile(rf"{_VOLUME}:/[^:]*:/[^:]+(:ro|:rw)?")


def _of_a_volume(work: str | None) -> str | None:
    if work is not None and not _WORK.fullmatch(work):
        raise ValueError('a folder of a volume is "node-nfs:VOLUME:/FOLDER"')
    return work


def _absolute(path: str | None) -> str | None:
    if path is not None and (not path.startswith("/") or path.rstrip("/") in RESERVED):
        raise ValueError("the folder as this host has it is an absolute path: /mnt/VOLUME/FOLDER")
    return path


def _mountable(mounts: tuple[str, ...]) -> tuple[str, ...]:
    for mount in mounts:
        if not _MOUNT.fullmatch(mount):
            raise ValueError(f'`{mount}` is not "node-nfs:VOLUME:/FOLDER:/TARGET", or that and ":rw"')
        if re.sub(":r[ow]$", "", mount).rpartition(":")[2].rstrip("/") in RESERVED:
            raise ValueError(f"`{mount}`: Lepton keeps that target for the system")
    return mounts


def _address(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ValueError("the API of a workspace is at https://HOST/api/v2/workspaces/WORKSPACE")
    return url


class Autoscale(Block):
    """How Lepton adds to a deployment's replicas: `most` is how many there may be.

    A replica is added where those that are there have more than so many `requests` a minute each, or so
    much of their GPUs in use, in percent. Without any request for as long as `idle` there are none.
    """

    most: Annotated[int, Field(ge=1)]
    requests: Annotated[Real, Field(gt=0)] | None = None
    gpu: Annotated[int, Field(ge=1, le=100)] | None = None
    idle: Duration | None = None


def _by_one_measure(autoscale: Autoscale | None) -> Autoscale | None:
    if autoscale is not None and (autoscale.requests is None) == (autoscale.gpu is None):
        raise ValueError("it goes by `requests`, or by `gpu`")
    return autoscale


class Settings(Block):
    """`image` is what evaluations run in whose benchmark names none; it is no part of what they are.

    `workspace` and `token` are those of `lep login`, where they are not given; `url` is another API's.

    `work` is a folder of a volume in which jobs have theirs, and `here` the same folder as this host has
    it mounted. `key` is what endpoints ask of those who use them; they stay after a build with `keep`.
    `python` runs gateways in the image of an evaluation, and needs evalmake there. `poll` is how long the
    API is left alone at most.
    """

    workspace: str | None = None
    url: Annotated[str | None, AfterValidator(_address)] = None
    token: SecretRef | None = None
    key: SecretRef | None = None
    node_group: str | None = None
    shape: str | None = None
    image: str | None = None
    work: Annotated[str | None, AfterValidator(_of_a_volume)] = None
    here: Annotated[str | None, AfterValidator(_absolute)] = None
    mounts: Annotated[Texts, AfterValidator(_mountable)] = ()
    pull_secrets: Texts = ()
    priority: str | None = None
    python: str = "python3"
    keep: bool = False
    autoscale: Annotated[Autoscale | None, AfterValidator(_by_one_measure)] = None
    poll: Duration = Duration(10)
