"""Containers on a cluster: how each runtime is called, and what a container sees of its node."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from evalmake.executors.job_inputs import LARGE
from evalmake.executors.remote.folder_layout import INPUTS, SECRETS
from evalmake.executors.slurm.multi_node import srun_words
from evalmake.executors.slurm.settings import Settings
from evalmake.plugin_api.executor import Job

_ID_FILE = ".container"
"""Has the id of a container: other people on its node may have jobs of the same name."""
ENGINES = ("docker", "podman")
_GPUS = {
    "docker": r'--gpus "\"device=$SLURM_JOB_GPUS\""',
    "podman": '"${gpus[@]/#/--device=nvidia.com/gpu=}"',
}
"""The GPUs that Slurm gave the job. An engine by itself would give all."""
_USER = {"docker": '--user "$(id -u):$(id -g)"', "podman": "--userns=keep-id"}
INHERITING = ("pyxis", "apptainer")
"""The runtimes whose containers get the environment of their node."""
_OF_THE_NODE = (
    "CURL_CA_BUNDLE",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "PYTHONHOME",
    "PYTHONPATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TEMP",
    "TMP",
    "TMPDIR",
)
"""They name files and folders that an image lacks, or has in other places."""
_OF_RUNTIMES = ("APPTAINER", "ENROOT", "PMI", "PYXIS", "SINGULARITY", "SLURM", "SRUN")
"""What the names of their own variables begin with."""
_HIDE = ("env", '"${hidden[@]/#/-u}"')
_WIDTH = 100  # of lines in scripts
_TAG = re.compile(r":[^:/]*$")
_GRACE = 5  # seconds between SIGTERM and SIGKILL


def container_words(
    job: Job, folder: str, settings: Settings, names: Iterable[str], secrets: Iterable[str]
) -> list[str]:
    """Return the shell words before a command that runs in a container; none if the job has no image.

    `folder` is the job's own. Variables go into the container by name. Docker and Podman keep the
    configuration of a container and show it, so a shell in the container reads secrets from their file.
    """
    if not job.image:
        return []
    image, runtime = job.image, settings.container
    binds = [f"{source}:{target}:{mode}" for source, target, mode in _mounts(job, folder, settings)]
    names, secrets = list(names), list(secrets)
    if runtime == "pyxis":
        return [*_HIDE, *srun_words(job, settings)] + [
            shlex.quote(word)
            for word in (
                f"--container-image={_pyxis(image)}",
                f"--container-mounts={','.join(binds)}",
                f"--container-workdir={folder}",
                "--no-container-mount-home",
                f"--container-env={','.join([*names, *secrets])}",
            )
        ]
    if runtime == "apptainer":
        words = [
            "apptainer",
            "exec",
            "--no-home",
            "--home",
            folder,
            *(["--nv"] if job.gpus else []),
            *_each("--bind", binds),
        ]
        return [*_HIDE, *(shlex.quote(word) for word in (*words, "--pwd", folder, _apptainer(image)))]
    words = ["run", "--rm", "--init", "--cidfile", _ID_FILE, "--label", f"evalmake={job.id}"]
    words += ["--network", "host"]
    if runtime == "docker":  # Slurm limits the processes of its own jobs only
        words += ["--memory", f"{math.ceil(job.memory / 2**20)}m"] if job.memory else []
        words += ["--cpus", str(math.ceil(job.cpus))] if job.cpus else []
    words += ["--security-opt", "no-new-privileges"]
    words += [*_each("-v", binds), *_each("-e", names), "-w", folder]
    words += ["--entrypoint", "/bin/sh" if secrets else "", image]
    words += ["-c", f'. ./{SECRETS} && rm -f {SECRETS} && exec "$@"', "sh"] if secrets else []
    expanded = [_USER[runtime], *([_GPUS[runtime]] if job.gpus else [])]
    return [runtime, *map(shlex.quote, words[:1]), *expanded, *map(shlex.quote, words[1:])]


def note_variables(job: Job, settings: Settings) -> list[str]:
    """Return the line before the executor's own lines that notes what is exported; see `hide_variables`."""
    return ["exported=$(compgen -e)"] if job.image and settings.container in INHERITING else []


def hide_variables(job: Job, settings: Settings, names: Iterable[str]) -> list[str]:
    """Return the lines that list what a container must not inherit: what its node needs, and has exported since.

    `names` are the job's own variables, which it gets. What configures the runtime stays, too.
    """
    if not job.image or settings.container not in INHERITING:
        return []
    own = sorted(names)
    fixed = " ".join(name for name in _OF_THE_NODE if name not in own)
    lines = [
        "# A container has certificates, libraries and folders of its own, not its node's.",
        f"hidden=({fixed})",
        f"kept='^({'|'.join([*_OF_RUNTIMES, *(f'{name}$' for name in own)])})'",
        'mapfile -t -O "${#hidden[@]}" hidden < <(compgen -e | grep -vxF "$exported" | grep -vE "$kept")',
    ]
    if settings.container == "pyxis":
        lines.append("export ENROOT_LOGIN_SHELL=no  # a login shell would replace the image's PATH")
    return lines


def run_in_engine(words: list[str], job: Job, settings: Settings) -> list[str]:
    """Return the lines that run a container and end it with the job: Slurm would not end the engine's process."""
    engine, container = settings.container, f'"$(cat {_ID_FILE} 2> /dev/null)" > /dev/null 2>&1'
    needs_gpu_list = engine == "podman" and job.gpus
    return [
        f"trap '{engine} rm --force {container}' EXIT",
        f"trap '{engine} stop --time {_GRACE} {container}; wait; exit 143' TERM",
        *(['IFS=, read -ra gpus <<< "$SLURM_JOB_GPUS"'] if needs_gpu_list else []),
        f"{fold_command(words)} &",
        "wait $!",
        "status=$?",
    ]


def fold_command(words: Iterable[str]) -> str:
    """Return a command whose output goes to the log, in lines that are short enough to read."""
    lines = [""]
    for word in [*words, ">> log 2>&1 < /dev/null"]:
        if lines[-1].strip() and len(lines[-1]) + len(word) > _WIDTH:
            lines[-1] += "\\"
            lines.append("    ")
        lines[-1] += f"{word} "
    return "\n".join(line.rstrip() for line in lines)


def hub_cache(job: Job, folder: str, settings: Settings) -> str:
    """Return the folder on a cluster behind ssh where a job caches files of a model hub, if it does."""
    writes = settings.host and any(mount.writable for mount in job.mounts.values())
    return _remote_hub_cache(folder) if writes else ""


def _mounts(job: Job, folder: str, settings: Settings) -> list[tuple[str, str, str]]:
    """Return what a container sees of its node: source, target, mode."""
    found = {folder: (folder, "rw")}
    for path, one in job.mounts.items():
        source = _remote_hub_cache(folder) if one.writable and settings.host else str(one.source.absolute())
        found[path] = (source, "rw" if one.writable else "ro")
    for linked in _linked_inputs(job, folder, settings):
        found[linked] = (linked, "ro")
    for mount in settings.mounts:
        source, target, mode = f"{mount}:ro".split(":")[:3]
        found[target] = (source, mode)
    return [(source, target, mode) for target, (source, mode) in found.items()]


def _remote_hub_cache(folder: str) -> str:
    return str(PurePosixPath(folder).parents[1] / "hub")


def _linked_inputs(job: Job, folder: str, settings: Settings) -> list[str]:
    """Return the inputs that the job's folder only links to: a container must see them, too."""
    if settings.host:
        return [str(PurePosixPath(folder).parent / INPUTS)] if job.inputs else []
    return [str(p.resolve()) for p in job.inputs.values() if p.stat().st_size > LARGE]


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _pyxis(image: str) -> str:
    """Return the name of an image for enroot, which separates the registry by `#`; files keep their path.

    Not all versions of enroot read `NAME@DIGEST`; all take a digest where the tag stands.
    """
    if image.startswith(("/", "./", "docker://")):
        return image
    image = _without_tag(image).replace("@", ":")
    first, slash, rest = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return f"docker://{first}#{rest}" if is_host else f"docker://{image}"


def _apptainer(image: str) -> str:
    return image if image.startswith(("/", "./")) or "://" in image else f"docker://{_without_tag(image)}"


def _without_tag(image: str) -> str:
    """Return an image without its tag if it has a digest, too: the digest counts, and runtimes refuse both."""
    name, at, digest = image.partition("@")
    return f"{_TAG.sub('', name)}@{digest}" if at else image
