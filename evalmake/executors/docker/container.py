"""Translates a job into the parameters of a container, and the end of a container into words.

In a container the job's folder is always `/evalmake`. The engine copies files and inputs into it, and outputs
out of it. So a container can write nothing on this host except through writable mounts. Outputs belong to
whoever runs evalmake, whatever user the image has. An engine on another host needs no shared folder. Only
large inputs are not copied but mounted read-only, if the engine sees this host's files.

The engine keeps the configuration of a container on disk and shows it to all its users. So secrets are not part
of it: a shell reads them from the standard input of the container before it becomes the job's command.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalmake.executors.docker.images import Image
from evalmake.executors.docker.network import ClosedNetwork
from evalmake.executors.docker.settings import Settings
from evalmake.executors.job_inputs import LARGE
from evalmake.executors.secret_exports import READ_EXPORTS
from evalmake.plugin_api.executor import Job

FOLDER = "/evalmake"
JOB, WORKSPACE, EXECUTOR = "evalmake.job", "evalmake.workspace", "evalmake.executor"
IMAGE, DIGEST = "evalmake.image", "evalmake.digest"
_PROCESS_LIMIT = 8192  # and threads: a fork bomb must not take the host down
_CAPABILITIES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
]
"""What root may do in a container: handle its own files and processes, and no more."""


def create_parameters(
    job: Job,
    image: Image,
    settings: Settings,
    labels: Mapping[str, str],
    network: ClosedNetwork | None,
    has_secrets: bool,
    shares_files: bool,
) -> dict[str, Any]:
    """Return the arguments of `create_container` but for the name.

    `shares_files` says whether the engine sees this host's files.
    """
    from docker.types import HostConfig

    argv = ["python3" if word == "{python}" else word for word in job.argv]
    env = {key: _translate_path(value, job.workdir) for key, value in job.env.items()}
    own_env = {"EVALMAKE_WORKDIR": FOLDER, "EVALMAKE_IMAGE_WORKDIR": image.folder}
    published = {job.port: ("127.0.0.1", None)} if job.port and not network else None
    host = HostConfig(
        version="1.40",
        init=True,
        cap_drop=["ALL"],
        cap_add=_CAPABILITIES,
        security_opt=["no-new-privileges"],
        network_mode=network.name if network else "bridge",
        dns=[network.no_dns] if network else [],
        port_bindings=published,
        mounts=_mounts(job, settings, shares_files),
        nano_cpus=round(job.cpus * 1e9) if job.cpus else None,
        mem_limit=job.memory,
        pids_limit=_PROCESS_LIMIT,
        memswap_limit=job.memory,  # the limit holds for memory and swap together
        shm_size=settings.shm.bytes,
        device_requests=_device_requests(job),
        log_config={"Type": "json-file", "Config": {}},  # a driver whose logs can be read back
    )
    return {
        "image": image.id,
        "entrypoint": ["/bin/sh", "-c", READ_EXPORTS, "sh", *argv] if has_secrets else argv,
        "command": [],
        "environment": {**_home(settings.user), **env, **own_env},
        "working_dir": FOLDER,
        "user": settings.user,
        "stdin_open": has_secrets,
        "stop_signal": "SIGTERM",
        "ports": [job.port] if job.port else None,
        "labels": {**labels, JOB: job.id, IMAGE: job.image or "", DIGEST: image.digest},
        "host_config": host,
    }


def _mounts(job: Job, settings: Settings, shares_files: bool) -> list[Any]:
    """Return what the container sees of the engine's host: large inputs, mounts of the job and of the settings."""
    from docker.types import Mount

    shown = {f"{FOLDER}/{name}": (path, False) for name, path in mounted_inputs(job, shares_files).items()}
    shown |= {path: (one.source.absolute(), one.writable) for path, one in job.mounts.items()}
    for mount in settings.mounts:
        source, target, mode = f"{mount}:ro".split(":")[:3]
        shown[target] = (Path(source), mode == "rw")
    return [Mount(target, str(source), "bind", read_only=not writable) for target, (source, writable) in shown.items()]


def mounted_inputs(job: Job, shares_files: bool) -> dict[str, Path]:
    """Return the inputs that are mounted, not copied: name -> file."""
    return {name: path.resolve() for name, path in job.inputs.items() if shares_files and path.stat().st_size > LARGE}


def image_facts(info: Mapping[str, Any]) -> dict[str, str]:
    """Return what the record says of the image that ran."""
    labels = info["Config"]["Labels"]
    found = {"image": labels[IMAGE], "image-digest": labels[DIGEST], "image-id": info["Image"]}
    return {key: value for key, value in found.items() if value}


def describe_end(info: Mapping[str, Any]) -> str:
    """Return how a container ended, in words."""
    state, limit = info["State"], info["HostConfig"]["Memory"]
    status = f"exit status {state['ExitCode']}"
    if state["OOMKilled"]:
        return f"{status}: it ran out of memory" + (f" (limit {_size(limit)})" if limit else "")
    if state["ExitCode"] in (137, 143):
        return f"{status} ({'SIGKILL' if state['ExitCode'] == 137 else 'SIGTERM'})"
    return status if state["ExitCode"] else ""


def _home(user: str | None) -> dict[str, str]:
    """Return a home for a user given by number: the image may not know it, and its home would be `/`."""
    number = (user or "").partition(":")[0]
    return {"HOME": FOLDER} if number.isdigit() and int(number) else {}


def _translate_path(text: str, workdir: Path) -> str:
    """Return a text with the path of the job's folder as in the container."""
    return text.replace(str(workdir), FOLDER)


def _device_requests(job: Job) -> list[dict[str, Any]] | None:
    """Return the request for GPUs: their ids if evalmake counts them, otherwise how many."""
    if not job.gpus:
        return None
    which = {"DeviceIDs": list(job.gpu_ids)} if job.gpu_ids else {"Count": job.gpus}
    return [{"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **which}]


def _size(count: int) -> str:
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if count % unit == 0:
            return f"{count // unit}{name}"
    return f"{count} bytes"
