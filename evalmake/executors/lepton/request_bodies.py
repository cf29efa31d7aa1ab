"""What Lepton is asked to make: a job of an evaluation, an endpoint of a deployment."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.executors.lepton.resource_names import JOB, WORKSPACE, endpoint_name, job_name, secret_name
from evalmake.executors.lepton.settings import Autoscale, Settings
from evalmake.plugin_api.executor import Job

PORT = 8000
_KEPT = 30 * 24 * 3600  # seconds that Lepton keeps a job that is over
_FOLDER = "/tmp/evalmake"


@dataclass(frozen=True, slots=True)
class Body:
    """What is posted, and the secrets that are made before it, by their names there."""

    name: str
    given: Mapping[str, Any]
    secrets: Mapping[str, str]

    @property
    def serves(self) -> bool:
        """Whether it is an endpoint."""
        return "components" in self.given["spec"]


def job_body(
    job: Job, settings: Settings, key: str, group: str | None, folders: Path, secrets: Mapping[str, str]
) -> Body:
    """A job that runs the script in its folder, which is below `folders` in its container, too."""
    name = job_name(key, job.id)
    volume, _, path = (settings.work or "").rpartition(":")
    work = {"from": volume, "path": f"{path.rstrip('/')}/{key}", "mount_path": str(folders)}
    envs, hidden = _secret_envs(name, secrets)
    spec = {
        **_placed(settings, group),
        "container": {"image": job.image, "command": ["/bin/sh", f"{folders}/{job.id}/job.sh"]},
        "envs": envs,
        "mounts": [work, *map(_mount, settings.mounts)],
        "completions": 1,
        "parallelism": 1,
        "max_failure_retry": 0,
        "ttl_seconds_after_finished": _KEPT,
        **_pulled(settings),
    }
    labels = {WORKSPACE: key, JOB: job.id}
    meta = {"name": name, "visibility": "private", "labels": labels}
    return Body(name, {"metadata": meta, "spec": spec}, hidden)


def endpoint_body(
    job: Job, settings: Settings, key: str, group: str | None, token: str, secrets: Mapping[str, str]
) -> Body:
    """An endpoint that runs a server's command in each of its replicas."""
    name = endpoint_name(key, job.id)
    envs, hidden = _secret_envs(name, secrets)
    plain = [{"name": n, "value": v} for n, v in sorted(job.env.items())]
    mounts = [*map(_mount, settings.mounts), *_weights(job, settings)]
    component = {
        "name": "default",
        "image": job.image,
        "command": _command(job, settings.python),
        "ports": [{"container_port": job.port or PORT}],
        "envs": [*plain, *envs],
        **({"mounts": mounts} if mounts else {}),
        **_placed(settings, group),
        "min_replicas": job.replicas,
        **_scaled(job, settings.autoscale),
    }
    spec = {"components": [component], "api_tokens": [{"value": token}], **_pulled(settings)}
    meta = {"name": name, "lepton_metadata": {"visibility": "private"}}
    return Body(name, {"metadata": meta, "spec": spec}, hidden)


def _scaled(job: Job, autoscale: Autoscale | None) -> dict[str, Any]:
    """How many replicas there may be at most, and when one is added."""
    if autoscale is None:
        return {"max_replicas": job.replicas}
    by_requests = {"qpm": autoscale.requests or 0.0, "paths": [], "methods": []}
    told: dict[str, Any] = {
        "target_gpu_utilization_percentage": autoscale.gpu or 0,
        "target_throughput": by_requests,
    }
    if autoscale.idle:
        told["scale_down"] = {"no_traffic_timeout": round(autoscale.idle.seconds)}
    return {"max_replicas": max(autoscale.most, job.replicas), "autoscaling": told}


def same(component: Mapping[str, Any], body: Body) -> bool:
    """Whether an endpoint that is there is what is to be made."""
    [wanted] = body.given["spec"]["components"]
    keys = ("image", "command", "resource_shape", "min_replicas", "max_replicas")
    return all(component.get(key) == wanted[key] for key in keys)


def masked(body: Body) -> dict[str, Any]:
    """What is posted, to be shown: no token in it."""
    spec = dict(body.given["spec"])
    if "api_tokens" in spec:
        spec["api_tokens"] = [{"value": "***"}]
    return {**body.given, "spec": spec}


def _placed(settings: Settings, group: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"resource_shape": settings.shape}
    if group:
        found["affinity"] = {"allowed_dedicated_node_groups": [group]}
    if settings.priority:
        found["queue_config"] = {"priority_class": settings.priority}
    return found


def _pulled(settings: Settings) -> dict[str, Any]:
    return {"image_pull_secrets": list(settings.pull_secrets)} if settings.pull_secrets else {}


def _secret_envs(name: str, secrets: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    names = {variable: secret_name(name, variable) for variable in sorted(secrets)}
    envs = [{"name": v, "value_from": {"secret_name_ref": n}} for v, n in names.items()]
    return envs, {names[variable]: value for variable, value in secrets.items()}


def _command(job: Job, python: str) -> list[str]:
    """The server's command, in a folder that it can write to and that has its files."""
    argv = [python if word == "{python}" else word for word in job.argv]
    steps = [f"mkdir -p {_FOLDER}", f"cd {_FOLDER}"]
    steps += [f"printf %s {shlex.quote(t)} > {shlex.quote(n)}" for n, t in job.files.items()]
    return ["/bin/sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh", *argv]


def volumes(settings: Settings) -> list[str]:
    """The volumes that settings name, as `node-nfs:VOLUME`."""
    work = [settings.work.rpartition(":")[0]] if settings.work else []
    return [*work, *(_mount(text)["from"] for text in settings.mounts)]


def _mount(text: str) -> dict[str, Any]:
    """`node-nfs:VOLUME:/FOLDER:/TARGET` and perhaps `:rw`."""
    source, path, target = re.sub(":r[ow]$", "", text).rsplit(":", 2)
    options = {} if text.endswith(":rw") else {"mount_options": {"read_only": True}}
    return {"from": source, "path": path, "mount_path": target, **options}


def _weights(job: Job, settings: Settings) -> Iterable[dict[str, Any]]:
    """What a server has of this host: only what lies on the volume can be had there."""
    volume, _, path = (settings.work or "").rpartition(":")
    for target, mount in job.mounts.items():
        source = Path(os.path.realpath(mount.source))
        here = Path(os.path.realpath(settings.here)) if settings.here else None
        if here is not None and source.is_relative_to(here):
            there = f"{path.rstrip('/')}/{source.relative_to(here)}"
            options = {} if mount.writable else {"mount_options": {"read_only": True}}
            yield {"from": volume, "path": there, "mount_path": target, **options}
        elif not mount.writable:  # a cache is a kindness
            where = f"below {here}" if here else "on the volume of `work`"
            raise OSError(f"{job.name} needs {source}, which Lepton cannot see: have it {where}")
