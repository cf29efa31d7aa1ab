"""The settings of `backend = lepton`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from evalmake.executors.lepton.resource_names import RESERVED_TARGETS
from evalmake.language.values import Duration, SecretRef
from evalmake.project.key_types import Block, Real, Texts, define_key

_VOLUME = r"(node-local|node-[a-z0-9]+:[^:/]+)"
_WORK = re.compile(rf"{_VOLUME}:/[^:]*")
_MOUNT = re.compile(rf"{_VOLUME}:/[^:]*:/[^:]+(:ro|:rw)?")


def _check_work(work: str | None) -> str | None:
    if work is not None and not _WORK.fullmatch(work):
        raise ValueError('write a folder of a volume as "node-nfs:VOLUME:/FOLDER"')
    return work


def _check_here(path: str | None) -> str | None:
    if path is not None and (not path.startswith("/") or path.rstrip("/") in RESERVED_TARGETS):
        raise ValueError("write the path of the folder on this host, such as /mnt/VOLUME/FOLDER")
    return path


def _check_mounts(mounts: tuple[str, ...]) -> tuple[str, ...]:
    for mount in mounts:
        if not _MOUNT.fullmatch(mount):
            raise ValueError(
                f'`{mount}` is not "node-nfs:VOLUME:/FOLDER:/TARGET" or "node-nfs:VOLUME:/FOLDER:/TARGET:rw"'
            )
        if re.sub(":r[ow]$", "", mount).rpartition(":")[2].rstrip("/") in RESERVED_TARGETS:
            raise ValueError(f"`{mount}`: Lepton reserves that target for the system")
    return mounts


def _check_url(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ValueError("write the API of a workspace as https://HOST/api/v2/workspaces/WORKSPACE")
    return url


def _check_secrets(secrets: dict[str, str]) -> dict[str, str]:
    for variable, name in secrets.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", variable, re.ASCII):
            raise ValueError(f"`{variable}` is no name of a variable")
        if not name:
            raise ValueError(f"`{variable}`: write the name of a secret of the workspace")
    return secrets


class Autoscale(Block):
    """When Lepton adds replicas to a deployment, up to `most`.

    It adds one if each replica gets more than `requests` a minute, or uses more than `gpu` percent of its GPUs.
    After `idle` without any request it stops all of them; `idle` may stand alone.
    """

    most: Annotated[int, Field(ge=1)] | None = define_key(
        None, "How many replicas there may be.", "4", unset="the `replicas` of the deployment"
    )
    requests: Annotated[Real, Field(gt=0)] | None = define_key(
        None, "The requests per minute and replica above which a replica is added.", "60", unset="`gpu` decides"
    )
    gpu: Annotated[int, Field(ge=1, le=100)] | None = define_key(
        None, "The GPU use in percent above which a replica is added.", "80", unset="`requests` decides"
    )
    idle: Duration | None = define_key(
        None, "How long without a request until all replicas stop.", "1h", unset="they never stop"
    )


def _check_autoscale(autoscale: Autoscale | None) -> Autoscale | None:
    if autoscale is None or (autoscale.idle and autoscale == Autoscale(idle=autoscale.idle)):
        return autoscale
    if (autoscale.requests is None) == (autoscale.gpu is None):
        raise ValueError("write either `requests` or `gpu`")
    if autoscale.most is None:
        raise ValueError("write `most`: how many replicas there may be")
    return autoscale


class Settings(Block):
    """Evaluations are jobs of DGX Cloud Lepton, deployments are endpoints there."""

    workspace: str | None = define_key(None, "The Lepton workspace.", '"acme-eval"', unset="that of `lep login`")
    url: Annotated[str | None, AfterValidator(_check_url)] = define_key(
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
    work: Annotated[str | None, AfterValidator(_check_work)] = define_key(
        None, "The folder of a volume that holds the folders of jobs.", '"node-nfs:shared:/evalmake"'
    )
    here: Annotated[str | None, AfterValidator(_check_here)] = define_key(
        None, "The path of that same folder on this host.", '"/mnt/shared/evalmake"'
    )
    mounts: Annotated[Texts, AfterValidator(_check_mounts)] = define_key(
        (), "Folders of volumes that jobs see; read-only unless they end in `:rw`.", '["node-nfs:shared:/data:/data"]'
    )
    pull_secrets: Texts = define_key((), "Lepton's secrets for private registries.", '["ngc"]')
    secrets: Annotated[dict[str, str], AfterValidator(_check_secrets)] = define_key(
        {},
        "Variables of jobs and endpoints, with the names of the workspace's secrets that hold their values.",
        '{ HF_TOKEN = "hf-read" }',
        type="map",
    )
    priority: str | None = define_key(
        None, "The priority class of jobs and endpoints.", '"high-4000"', unset="the default of Lepton"
    )
    python: str = define_key(
        "python3",
        "The Python in the image of an evaluation; evalmake must be installed for it.",
        '"/opt/venv/bin/python"',
    )
    keep: bool = define_key(False, "Keeps endpoints for the next build.", "true")
    autoscale: Annotated[Autoscale | None, AfterValidator(_check_autoscale)] = define_key(
        None,
        "Lets Lepton add and stop replicas of an endpoint.",
        "{ most = 4, requests = 60 }",
        unset="the number of replicas is fixed",
    )
    poll: Duration = define_key(Duration(10), "How long evalmake waits at most before it asks the API again.", "30s")
