"""A job as the container that it becomes.

In the container the job's folder is `/evalmake`, whatever the user and the paths of this host: files
and inputs are copied into it and outputs out of it, by the engine. So a container can write nothing
of this host that it was not given as writable; what comes out belongs to whoever runs evalmake,
whatever user the image has; and an engine on another host needs no folder in common. Only what is
large is not copied, where the engine has the same files: it is mounted, to be read only.

Secrets are no part of a container's configuration, which the engine keeps on disk and shows to all
who may ask it: they come by its standard input, from which a shell takes them before it becomes the
job's command.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalmake.executors.docker.images import Image
from evalmake.executors.docker.network import Closed
from evalmake.executors.docker.settings import Settings
from evalmake.plugin_api.executor import Job

FOLDER = "/evalmake"
JOB, WORKSPACE, EXECUTOR = "evalmake.job", "evalmake.workspace", "evalmake.executor"
IMAGE, DIGEST = "evalmake.image", "evalmake.digest"
_PROCESSES = 8192  # and threads: what a program forks for ever is not to end its host
_LARGE = 64 * 2**20  # bytes
_KEPT = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
]
"""What root may do in a container: with its own files and processes, and no more."""
_HEAR = (
    'said=$(while IFS= read -r line; do printf "%s\\n" "$line"; done); eval "$said"; '
    'unset said line; exec "$@" </dev/null'
)


def parameters(
    job: Job,
    image: Image,
    settings: Settings,
    labels: Mapping[str, str],
    closed: Closed | None,
    secret: bool,
    near: bool,
) -> dict[str, Any]:
    """What the engine's `create_container` is given, but for the name; `near`: it has our files."""
    from docker.types import HostConfig

    argv = ["python3" if word == "{python}" else word for word in job.argv]
    told = {key: _there(value, job.workdir) for key, value in job.env.items()}
    own = {"EVALMAKE_WORKDIR": FOLDER, "EVALMAKE_IMAGE_WORKDIR": image.folder}
    published = {job.port: ("127.0.0.1", None)} if job.port and not closed else None
    host = HostConfig(
        version="1.40",
        init=True,
        cap_drop=["ALL"],
        cap_add=_KEPT,
        security_opt=["no-new-privileges"],
        network_mode=closed.name if closed else "bridge",
        dns=[closed.nowhere] if closed else [],
        port_bindings=published,
        mounts=_mounts(job, settings, near),
        nano_cpus=round(job.cpus * 1e9) if job.cpus else None,
        mem_limit=job.memory,
        pids_limit=_PROCESSES,
        memswap_limit=job.memory,  # the limit holds for memory and swap together
        shm_size=settings.shm.bytes if settings.shm else None,
        device_requests=_gpus(job),
        log_config={"Type": "json-file", "Config": {}},  # one that can be read back
    )
    return {
        "image": image.id,
        "entrypoint": ["/bin/sh", "-c", _HEAR, "sh", *argv] if secret else argv,
        "command": [],
        "environment": {**_home(settings.user), **told, **own},
        "working_dir": FOLDER,
        "user": settings.user,
        "stdin_open": secret,
        "stop_signal": "SIGTERM",
        "ports": [job.port] if job.port else None,
        "labels": {**labels, JOB: job.id, IMAGE: job.image or "", DIGEST: image.digest},
        "host_config": host,
    }


def _mounts(job: Job, settings: Settings, near: bool) -> list[Any]:
    """What is shown of the engine's host: large inputs, what a server shares, what settings add."""
    from docker.types import Mount

    shown = {f"{FOLDER}/{name}": (path, False) for name, path in mounted(job, near).items()}
    shown |= {path: (one.source.absolute(), one.writable) for path, one in job.mounts.items()}
    for mount in settings.mounts:
        source, target, mode = f"{mount}:ro".split(":")[:3]
        shown[target] = (Path(source), mode == "rw")
    return [Mount(target, str(source), "bind", read_only=not writable) for target, (source, writable) in shown.items()]


def mounted(job: Job, near: bool) -> dict[str, Path]:
    """The inputs that are mounted: name -> file."""
    return {name: path.resolve() for name, path in job.inputs.items() if near and path.stat().st_size > _LARGE}


def spoken(secrets: Mapping[str, str]) -> bytes:
    """Secrets as the shell in the container hears them."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    return "".join(lines).encode(errors="surrogateescape")


def facts(info: Mapping[str, Any]) -> dict[str, str]:
    """What a record says of the image that ran."""
    labels = info["Config"]["Labels"]
    found = {"image": labels[IMAGE], "image-digest": labels[DIGEST], "image-id": info["Image"]}
    return {key: value for key, value in found.items() if value}


def told(info: Mapping[str, Any]) -> str:
    """How a container ended, in words."""
    state, limit = info["State"], info["HostConfig"]["Memory"]
    status = f"exit status {state['ExitCode']}"
    if state["OOMKilled"]:
        return f"{status}: it ran out of memory" + (f", of which it has {_size(limit)}" if limit else "")
    if state["ExitCode"] in (137, 143):
        return f"{status} ({'SIGKILL' if state['ExitCode'] == 137 else 'SIGTERM'})"
    return status if state["ExitCode"] else ""


def _home(user: str | None) -> dict[str, str]:
    """The home of a user by number, whom the image need not know: else it is `/`, which is root's."""
    number = (user or "").partition(":")[0]
    return {"HOME": FOLDER} if number.isdigit() and int(number) else {}


def _there(text: str, workdir: Path) -> str:
    """A path of the job's folder, by its name in the container."""
    return text.replace(str(workdir), FOLDER)


def _gpus(job: Job) -> list[dict[str, Any]] | None:
    """What the engine is told of GPUs: which, where they are counted, else how many."""
    if not job.gpus:
        return None
    which = {"DeviceIDs": list(job.gpu_ids)} if job.gpu_ids else {"Count": job.gpus}
    return [{"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **which}]


def _size(count: int) -> str:
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if count % unit == 0:
            return f"{count // unit}{name}"
    return f"{count} bytes"
