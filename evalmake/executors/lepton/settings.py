"""What `backend = lepton` may say."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from evalmake.executors.lepton.resource_names import RESERVED
from evalmake.language.values import Duration, SecretRef
from evalmake.project.key_types import Block, Real, Texts, define_key

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

    most: Annotated[int, Field(ge=1)] = define_key(..., "How many replicas there may be.", "4")
    requests: Annotated[Real, Field(gt=0)] | None = define_key(
        None, "The requests per minute and replica above which a replica is added.", "60", unset="`gpu` decides"
    )
    gpu: Annotated[int, Field(ge=1, le=100)] | None = define_key(
        None, "The GPU use in percent above which a replica is added.", "80", unset="`requests` decides"
    )
    idle: Duration | None = define_key(
        None, "How long without a request until all replicas stop.", "1h", unset="they never stop"
    )


def _by_one_measure(autoscale: Autoscale | None) -> Autoscale | None:
    if autoscale is not None and (autoscale.requests is None) == (autoscale.gpu is None):
        raise ValueError("it goes by `requests`, or by `gpu`")
    return autoscale


class Settings(Block):
    """Evaluations are jobs of DGX Cloud Lepton, deployments are endpoints there."""

    workspace: str | None = define_key(None, "The Lepton workspace.", '"acme-eval"', unset="that of `lep login`")
    url: Annotated[str | None, AfterValidator(_address)] = define_key(
        None,
        "The address of another API.",
        '"https://lepton.acme.com/api/v2/workspaces/evals"',
        unset="DGX Cloud Lepton",
    )
    token: SecretRef | None = define_key(
        None, "The token of the workspace.", 'secret("LEPTON_TOKEN")', unset="that of `lep login`"
    )
    key: SecretRef | None = define_key(
        None, "The key that endpoints ask of their callers.", 'secret("ENDPOINT_KEY")', unset="no key"
    )
    node_group: str | None = define_key(None, "The node group that jobs and endpoints run in.", '"h200-reserved"')
    shape: str | None = define_key(None, "The resource shape of jobs and endpoints.", '"gpu.8xh200"')
    image: str | None = define_key(None, "The image for benchmarks that name none.", '"acme/evals:1"')
    work: Annotated[str | None, AfterValidator(_of_a_volume)] = define_key(
        None, "The folder of a volume that holds the folders of jobs.", '"node-nfs:shared:/evalmake"'
    )
    here: Annotated[str | None, AfterValidator(_absolute)] = define_key(
        None, "The path of that same folder on this host.", '"/mnt/shared/evalmake"'
    )
    mounts: Annotated[Texts, AfterValidator(_mountable)] = define_key(
        (), "Folders of volumes that jobs see; read-only unless they end in `:rw`.", '["node-nfs:shared:/data:/data"]'
    )
    pull_secrets: Texts = define_key((), "Lepton's secrets for private registries.", '["ngc"]')
    priority: str | None = define_key(
        None, "The priority class of jobs and endpoints.", '"high-4000"', unset="the default of Lepton"
    )
    python: str = define_key(
        "python3",
        "The Python in the image of an evaluation; evalmake must be installed for it.",
        '"/opt/venv/bin/python"',
    )
    keep: bool = define_key(False, "Keeps endpoints for the next build.", "true")
    autoscale: Annotated[Autoscale | None, AfterValidator(_by_one_measure)] = define_key(
        None,
        "Lets Lepton add and stop replicas of an endpoint.",
        "{ most = 4, requests = 60 }",
        unset="the number of replicas is fixed",
    )
    poll: Duration = define_key(Duration(10), "How long evalmake waits at most before it asks the API again.", "30s")
