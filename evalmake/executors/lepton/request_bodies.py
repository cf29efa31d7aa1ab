"""Writes the bodies of requests that create a job for an evaluation, or an endpoint for a deployment."""

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
_RETENTION = 30 * 24 * 3600  # seconds for which Lepton keeps a job that is over
_FOLDER = "/tmp/evalmake"


@dataclass(frozen=True, slots=True)
class Body:
    """What is posted, and the secrets to create before it: their names in Lepton and their values.

    Secrets that the workspace has are named in what is posted, and are no part of `secrets`.
    """

    name: str
    content: Mapping[str, Any]
    secrets: Mapping[str, str]

    @property
    def is_endpoint(self) -> bool:
        """Whether it creates an endpoint, not a job."""
        return "components" in self.content["spec"]


def job_body(
    job: Job, settings: Settings, key: str, group: str | None, folders: Path, secrets: Mapping[str, str]
) -> Body:
    """Return the body of a job that runs the script in its folder, below `folders` in its container."""
    name = job_name(key, job.id)
    volume, _, path = (settings.work or "").rpartition(":")
    work = {"from": volume, "path": f"{path.rstrip('/')}/{key}", "mount_path": str(folders)}
    envs, secret_values = _secret_envs(name, secrets)
    envs += _existing_secrets(job, settings, secrets)
    spec = {
        **_placement(settings, group),
        "container": {"image": job.image, "command": ["/bin/sh", f"{folders}/{job.id}/job.sh"]},
        "envs": envs,
        "mounts": [work, *map(_mount, settings.mounts)],
        "completions": 1,
        "parallelism": 1,
        "max_failure_retry": 0,
        "ttl_seconds_after_finished": _RETENTION,
        **_pull_secrets(settings),
    }
    labels = {WORKSPACE: key, JOB: job.id}
    meta = {"name": name, "visibility": "private", "labels": labels}
    return Body(name, {"metadata": meta, "spec": spec}, secret_values)


def endpoint_body(
    job: Job, settings: Settings, key: str, group: str | None, token: str, secrets: Mapping[str, str]
) -> Body:
    """Return the body of an endpoint that runs a server's command in each of its replicas."""
    name = endpoint_name(key, job.id)
    envs, secret_values = _secret_envs(name, secrets)
    envs += _existing_secrets(job, settings, secrets)
    plain = [{"name": n, "value": v} for n, v in sorted(job.env.items())]
    mounts = [*map(_mount, settings.mounts), *_weights(job, settings)]
    component = {
        "name": "default",
        "image": job.image,
        "command": _command(job, settings.python),
        "ports": [{"container_port": job.port or PORT}],
        "envs": [*plain, *envs],
        **({"mounts": mounts} if mounts else {}),
        **_placement(settings, group),
        "min_replicas": job.replicas,
        **_scaling(job, settings.autoscale),
    }
    spec = {"components": [component], "api_tokens": [{"value": token}], **_pull_secrets(settings)}
    meta = {"name": name, "lepton_metadata": {"visibility": "private"}}
    return Body(name, {"metadata": meta, "spec": spec}, secret_values)


def _scaling(job: Job, autoscale: Autoscale | None) -> dict[str, Any]:
    """Return how many replicas there may be, and when one is added."""
    if autoscale is None:
        return {"max_replicas": job.replicas}
    scaling: dict[str, Any] = {}
    if autoscale.most:
        by_requests = {"qpm": autoscale.requests or 0.0, "paths": [], "methods": []}
        scaling = {"target_gpu_utilization_percentage": autoscale.gpu or 0, "target_throughput": by_requests}
    if autoscale.idle:
        scaling["scale_down"] = {"no_traffic_timeout": round(autoscale.idle.seconds)}
    return {"max_replicas": max(autoscale.most or 0, job.replicas), "autoscaling": scaling}


def is_same_server(component: Mapping[str, Any], body: Body) -> bool:
    """Return whether the component of an existing endpoint is what `body` would create."""
    [wanted] = body.content["spec"]["components"]
    keys = ("image", "command", "resource_shape", "min_replicas", "max_replicas")
    return all(component.get(key) == wanted[key] for key in keys)


def mask_tokens(body: Body) -> dict[str, Any]:
    """Return what is posted, without the token in it."""
    spec = dict(body.content["spec"])
    if "api_tokens" in spec:
        spec["api_tokens"] = [{"value": "***"}]
    return {**body.content, "spec": spec}


def _placement(settings: Settings, group: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"resource_shape": settings.shape}
    if group:
        found["affinity"] = {"allowed_dedicated_node_groups": [group]}
    if settings.priority:
        found["queue_config"] = {"priority_class": settings.priority}
    return found


def _pull_secrets(settings: Settings) -> dict[str, Any]:
    return {"image_pull_secrets": list(settings.pull_secrets)} if settings.pull_secrets else {}


def _secret_envs(name: str, secrets: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    names = {variable: secret_name(name, variable) for variable in sorted(secrets)}
    envs = [_secret_env(variable, secret) for variable, secret in names.items()]
    return envs, {names[variable]: value for variable, value in secrets.items()}


def _existing_secrets(job: Job, settings: Settings, secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the variables from secrets of the workspace, but for those that the job has itself."""
    found = {v: n for v, n in settings.secrets.items() if v not in job.env and v not in secrets}
    return [_secret_env(variable, name) for variable, name in sorted(found.items())]


def _secret_env(variable: str, name: str) -> dict[str, Any]:
    return {"name": variable, "value_from": {"secret_name_ref": name}}


def _command(job: Job, python: str) -> list[str]:
    """Return the command of a server, which runs in a writable folder with its files."""
    argv = [python if word == "{python}" else word for word in job.argv]
    steps = [f"mkdir -p {_FOLDER}", f"cd {_FOLDER}"]
    steps += [f"printf %s {shlex.quote(t)} > {shlex.quote(n)}" for n, t in job.files.items()]
    return ["/bin/sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh", *argv]


def list_volumes(settings: Settings) -> list[str]:
    """Return the volumes that the settings name, as `node-nfs:VOLUME`."""
    work = [settings.work.rpartition(":")[0]] if settings.work else []
    return [*work, *(_mount(text)["from"] for text in settings.mounts)]


def _mount(text: str) -> dict[str, Any]:
    """Return the mount for `node-nfs:VOLUME:/FOLDER:/TARGET`, with or without `:rw`."""
    source, path, target = re.sub(":r[ow]$", "", text).rsplit(":", 2)
    options = {} if text.endswith(":rw") else {"mount_options": {"read_only": True}}
    return {"from": source, "path": path, "mount_path": target, **options}


def _weights(job: Job, settings: Settings) -> Iterable[dict[str, Any]]:
    """Yield the mounts of a server. It can have only what lies on the volume."""
    volume, _, path = (settings.work or "").rpartition(":")
    for target, mount in job.mounts.items():
        source = Path(os.path.realpath(mount.source))
        here = Path(os.path.realpath(settings.here)) if settings.here else None
        if here is not None and source.is_relative_to(here):
            folder = f"{path.rstrip('/')}/{source.relative_to(here)}"
            options = {} if mount.writable else {"mount_options": {"read_only": True}}
            yield {"from": volume, "path": folder, "mount_path": target, **options}
        elif not mount.writable:  # a writable mount is a cache, and can be missing
            place = f"below {here}" if here else "to the volume of `work`"
            raise OSError(f"{job.name} needs {source}, which Lepton cannot see: move it {place}")
