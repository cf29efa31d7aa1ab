"""Images on a cluster: how each runtime is called, and what a container has of its node."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from evalmake.executors.slurm.multi_node import step
from evalmake.executors.slurm.settings import Settings
from evalmake.plugin_api.executor import Job

SECRETS = ".secrets"
"""The file of a job's secrets."""
INPUTS = "inputs"
"""In the folder of jobs behind ssh: the inputs of all of them, to which each job has links."""
COPIED = 64 * 2**20
"""Bytes: a larger input is linked to where nodes see the same file."""
_ID = ".container"
"""The file of a container's id: others on its node may have jobs of the same name."""
ENGINES = ("docker", "podman")
_GPUS = {
    "docker": r'--gpus "\"device=$SLURM_JOB_GPUS\""',
    "podman": '"${gpus[@]/#/--device=nvidia.com/gpu=}"',
}
"""Those that Slurm gave the job: an engine itself would give all."""
_USER = {"docker": '--user "$(id -u):$(id -g)"', "podman": "--userns=keep-id"}
_WIDTH = 100
_GRACE = 5  # seconds between TERM and KILL for what runs in an engine


def contained(job: Job, there: str, settings: Settings, names: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """The shell's words before a command that runs in a container: variables go in by name only.

    Secrets are no part of what an engine keeps of a container: its own shell reads their file.
    """
    if not job.image:
        return []
    image, runtime = job.image, settings.container
    binds = [f"{source}:{target}:{mode}" for source, target, mode in _mounts(job, there, settings)]
    names, secrets = list(names), list(secrets)
    if runtime == "pyxis":
        return step(job, settings) + [
            shlex.quote(word)
            for word in (
                f"--container-image={_pyxis(image)}",
                f"--container-mounts={','.join(binds)}",
                f"--container-workdir={there}",
                "--no-container-mount-home",
                f"--container-env={','.join([*names, *secrets])}",
            )
        ]
    if runtime == "apptainer":
        words = [
            "apptainer",
            "exec",
            "--no-home",
            *(["--nv"] if job.gpus else []),
            *_each("--bind", binds),
        ]
        return [shlex.quote(word) for word in (*words, "--pwd", there, _apptainer(image))]
    words = ["run", "--rm", "--init", "--cidfile", _ID, "--label", f"evalmake={job.id}"]
    words += ["--network", "host"]
    if runtime == "docker":  # Slurm keeps only its own jobs' processes in bounds
        words += ["--memory", f"{math.ceil(job.memory / 2**20)}m"] if job.memory else []
        words += ["--cpus", str(math.ceil(job.cpus))] if job.cpus else []
    words += ["--security-opt", "no-new-privileges"]
    words += [*_each("-v", binds), *_each("-e", names), "-w", there]
    words += ["--entrypoint", "/bin/sh" if secrets else "", image]
    words += ["-c", f'. ./{SECRETS} && rm -f {SECRETS} && exec "$@"', "sh"] if secrets else []
    expanded = [_USER[runtime], *([_GPUS[runtime]] if job.gpus else [])]
    return [runtime, *map(shlex.quote, words[:1]), *expanded, *map(shlex.quote, words[1:])]


def by_an_engine(words: list[str], job: Job, settings: Settings) -> list[str]:
    """The command, whose container ends with the job: it is no process that Slurm would end."""
    engine, it = settings.container, f'"$(cat {_ID} 2> /dev/null)" > /dev/null 2>&1'
    counted = engine == "podman" and job.gpus
    return [
        f"trap '{engine} rm --force {it}' EXIT",
        f"trap '{engine} stop --time {_GRACE} {it}; wait; exit 143' TERM",
        *(['IFS=, read -ra gpus <<< "$SLURM_JOB_GPUS"'] if counted else []),
        f"{folded(words)} &",
        "wait $!",
        "status=$?",
    ]


def folded(words: Iterable[str]) -> str:
    """A command whose output goes to the log, no line too long to be read."""
    lines = [""]
    for word in [*words, ">> log 2>&1 < /dev/null"]:
        if lines[-1].strip() and len(lines[-1]) + len(word) > _WIDTH:
            lines[-1] += "\\"
            lines.append("    ")
        lines[-1] += f"{word} "
    return "\n".join(line.rstrip() for line in lines)


def kept_by(job: Job, there: str, settings: Settings) -> str:
    """The folder on a cluster behind ssh that a job writes to and keeps, if it does: a hub's files."""
    writes = settings.host and any(mount.writable for mount in job.mounts.values())
    return _kept_there(there) if writes else ""


def _mounts(job: Job, there: str, settings: Settings) -> list[tuple[str, str, str]]:
    """What a container has of its node: source, target, mode."""
    found = {there: (there, "rw")}
    for path, one in job.mounts.items():
        source = _kept_there(there) if one.writable and settings.host else str(one.source.absolute())
        found[path] = (source, "rw" if one.writable else "ro")
    for linked in _linked(job, there, settings):
        found[linked] = (linked, "ro")
    for mount in settings.mounts:
        source, target, mode = f"{mount}:ro".split(":")[:3]
        found[target] = (source, mode)
    return [(source, target, mode) for target, (source, mode) in found.items()]


def _kept_there(there: str) -> str:
    return str(PurePosixPath(there).parents[1] / "hub")


def _linked(job: Job, there: str, settings: Settings) -> list[str]:
    """Inputs that stay where they are: a container must be shown them."""
    if settings.host:
        return [str(PurePosixPath(there).parent / INPUTS)] if job.inputs else []
    return [str(p.resolve()) for p in job.inputs.values() if p.stat().st_size > COPIED]


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _pyxis(image: str) -> str:
    """enroot parts the registry from the name by `#`; a file is told by its path."""
    if image.startswith(("/", "./", "docker://")):
        return image
    first, slash, rest = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return f"docker://{first}#{rest}" if is_host else f"docker://{image}"


def _apptainer(image: str) -> str:
    return image if image.startswith(("/", "./")) or "://" in image else f"docker://{image}"
