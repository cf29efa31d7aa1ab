"""The scripts that Slurm is given: what a person reads who asks what a job does.

A batch is one call of sbatch: one job, or an array of jobs that ask for the same. Its script finds
the job by its place in the array; the job's own, `job.sh` in its folder, says all the rest.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from evalmake.executors.slurm.settings import Settings
from evalmake.planner.ports import Beside, Job

SECRETS, KEYS = ".secrets", ".keys"
"""Files of a job's secrets, and of those that are for what runs beside it."""
STARTED = "started"
ALONE = ('exec /bin/bash "../$job/job.sh"',)
"""The end of a batch's script, where a job is all that its allocation is for."""
_ENGINES = ("docker", "podman")
_WIDTH = 100
_NODES = ("EVALMAKE_HEAD", "EVALMAKE_NODE", "EVALMAKE_NODES")
_HEAD = 'EVALMAKE_HEAD=$(scontrol -o show node "$SLURMD_NODENAME" | sed "s/.* NodeAddr=\\([^ ]*\\).*/\\1/")'
_OWN_ID = "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
_SPARE = 600  # seconds between evalmake's own time limit and Slurm's


def directives(job: Job, settings: Settings) -> tuple[str, ...]:
    """What a job asks of Slurm: jobs that ask the same may be one array."""
    nodes = nodes_of(job, settings)
    given: dict[str, object] = {
        "account": settings.account,
        "partition": settings.partition,
        "qos": settings.qos,
        "reservation": settings.reservation,
        "constraint": settings.constraint,
        "nodes": nodes if settings.nodes else None,
        "ntasks": 1 if nodes == 1 else None,
        "ntasks-per-node": None if nodes == 1 else 1,
        "cpus-per-task": math.ceil(job.cpus) if job.cpus else None,
        "mem": f"{math.ceil(job.memory / 2**20)}M" if job.memory else None,
        "gres": settings.gres,
        "gpus" if nodes == 1 else "gpus-per-node": None if settings.gres else job.gpus or None,
        "time": _time(settings, job),
    }
    lines = [f"--{name}={_word(value)}" for name, value in given.items() if value is not None]
    return (*lines, *settings.directives)


def nodes_of(job: Job, settings: Settings) -> int:
    """On how many nodes a job runs at once."""
    return settings.nodes or 1 if job.spread is not None else 1


def batch_script(
    name: str, asks: Iterable[str], comment: str, ids: list[str], at_once: int | None,
    ends: Iterable[str] = ALONE,
) -> str:  # fmt: skip
    """The script of one sbatch: in its folder lie `jobs`, the ids by line, and what Slurm itself says."""
    lines = ["#!/bin/bash", f"#SBATCH --job-name={name}", f"#SBATCH --comment={_word(comment)}"]
    lines += [f"#SBATCH {line}" for line in asks]
    lines += ["#SBATCH --no-requeue", "#SBATCH --open-mode=append"]
    if len(ids) > 1:
        limit = f"%{at_once}" if at_once else ""
        lines += [f"#SBATCH --array=0-{len(ids) - 1}{limit}", "#SBATCH --output=slurm-%a.out"]
        lines += [
            "",
            "# Each job of the array is a line of `jobs`, and a folder with all that it runs.",
        ]
        lines += ['job=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" jobs)']
    else:
        lines += ["#SBATCH --output=slurm-0.out", "", "job=$(cat jobs)"]
    return "\n".join([*lines, *ends, ""])


def hosting(settings: Settings, python: str, at_once: int) -> tuple[str, ...]:
    """The end of a batch's script, where other jobs run beside a server: what these find is as without it."""
    argv = [python, "-P", "-m", "evalmake.gateway.hosting", str(at_once)]
    return (
        *(f"module load {shlex.quote(module)}" for module in settings.modules),
        *settings.prologue,
        "# Evaluations that ask this server run beside it: it is given them in its folder `queue`.",
        f'exec {shlex.join(argv)} "../$job"',
    )


def job_script(
    job: Job, there: str, settings: Settings, python: str, secrets: Iterable[str]
) -> str:
    """What one job runs, in its folder `there` on the node; `secrets` are names of variables."""

    def said(word: str, interpreter: str) -> str:
        return interpreter if word == "{python}" else word.replace(str(job.workdir), there)

    env = {name: said(value, value) for name, value in job.env.items()}
    env["EVALMAKE_WORKDIR"] = there
    beside = job.beside or Beside(())
    hidden = [name for name in secrets if name not in beside.secrets]
    nodes = nodes_of(job, settings)
    names = {*env, *beside.variables, *(_NODES if nodes > 1 else ())}
    inside = contained(job, there, settings, sorted(names), hidden)
    words = [shlex.quote(said(word, python)) for word in beside.argv]
    words += _everywhere(job, settings, inside) if nodes > 1 else inside
    words += [shlex.quote(said(word, "python3" if inside else python)) for word in job.argv]
    lines = [
        "#!/bin/bash",
        f"# {job.name} (evalmake's job {job.id}); what it prints goes to `log`",
        f"cd {shlex.quote(there)} || exit 97",
        f"mkdir {STARTED} 2>/dev/null || exit 0  # another job of Slurm runs it already",
        f'echo "{_OWN_ID}" > {STARTED}/by',
        *(f"module load {shlex.quote(module)} >> log 2>&1" for module in settings.modules),
        *settings.prologue,
        *(
            [f"mkdir -p {shlex.quote(kept_there(there))}"]
            if settings.host and inside and _writes(job)
            else []
        ),
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())),
        *([f"export EVALMAKE_NODES={nodes} EVALMAKE_HEAD", _HEAD] if nodes > 1 else []),
    ]
    if files := [f for f, names in ((SECRETS, hidden), (KEYS, beside.secrets)) if names]:
        if inside and settings.container in _ENGINES:
            files = [file for file in files if file != SECRETS]
        lines += [f". ./{file} && rm -f {file}  # only its owner can read it" for file in files]
    lines += ["", _folded(words), "status=$?"]
    lines += [f"rm -f {SECRETS}"] if hidden and nodes > 1 else []
    return "\n".join([*lines, "echo $status > .status && mv .status status", "exit $status", ""])


def contained(
    job: Job, there: str, settings: Settings, names: Iterable[str], secrets: Iterable[str]
) -> list[str]:
    """The shell's words before a command that runs in a container: variables go in by name only.

    Secrets are no part of what an engine keeps of a container: its own shell reads their file.
    """
    if not job.image or settings.container == "none":
        return []
    image, runtime = job.image, settings.container
    binds = [f"{source}:{target}:{mode}" for source, target, mode in _mounts(job, there, settings)]
    names, secrets = list(names), list(secrets)
    if runtime == "pyxis":
        return _step(job, settings) + [shlex.quote(word) for word in (
            f"--container-image={_pyxis(image)}", f"--container-mounts={','.join(binds)}",
            f"--container-workdir={there}", "--no-container-mount-home",
            f"--container-env={','.join([*names, *secrets])}",
        )]  # fmt: skip
    if runtime == "apptainer":
        words = [
            "apptainer",
            "exec",
            "--no-home",
            *(["--nv"] if job.gpus else []),
            *_each("--bind", binds),
        ]
        return [shlex.quote(word) for word in (*words, "--pwd", there, _apptainer(image))]
    gpus = {"docker": ["--gpus", "all"], "podman": ["--device", "nvidia.com/gpu=all"]}[runtime]
    user = {"docker": '--user "$(id -u):$(id -g)"', "podman": "--userns=keep-id"}[runtime]
    words = ["run", "--rm", "--init", "--name", f"evalmake-{job.id}", "--network", "host"]
    words += ["--security-opt", "no-new-privileges", *(gpus if job.gpus else [])]
    words += [*_each("-v", binds), *_each("-e", names), "-w", there]
    words += ["--entrypoint", "/bin/sh" if secrets else "", image]
    read = f". ./{SECRETS}" if nodes_of(job, settings) > 1 else f". ./{SECRETS} && rm -f {SECRETS}"
    words += ["-c", f'{read} && exec "$@"', "sh"] if secrets else []
    return [runtime, *map(shlex.quote, words[:1]), user, *map(shlex.quote, words[1:])]


def _step(job: Job, settings: Settings) -> list[str]:
    """The words of a step of Slurm: on all nodes of a job, which end together, or on that of its script."""
    nodes = nodes_of(job, settings)
    words = ["srun", "--overlap", f"--nodes={nodes}", f"--ntasks={nodes}", "--unbuffered"]
    if nodes > 1:
        return [*words, "--ntasks-per-node=1", "--kill-on-bad-exit=1", "--wait=5", "--label"]
    alone = settings.nodes in (None, 1)  # else it may be beside a server on several
    return words if alone else [*words, '--nodelist="$SLURMD_NODENAME"']


def _everywhere(job: Job, settings: Settings, inside: list[str]) -> list[str]:
    """The words before a command that runs once on each of several nodes: there a shell adds what they say."""
    told = f'export EVALMAKE_NODE="$SLURM_PROCID"; exec "$@" {job.spread}'.rstrip()
    shell = ["/bin/sh", "-c", shlex.quote(told), "sh"]
    if inside and settings.container == "pyxis":
        return [*inside, *shell]
    return [*_step(job, settings), *shell, *inside]


def spoken(secrets: Mapping[str, str]) -> bytes:
    """Secrets as a shell reads them."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    return "".join(lines).encode(errors="surrogateescape")


def _mounts(job: Job, there: str, settings: Settings) -> list[tuple[str, str, str]]:
    """What a container has of its node: source, target, mode."""
    found = {there: (there, "rw")}
    for path, one in job.mounts.items():
        source = kept_there(there) if one.writable and settings.host else str(one.source.absolute())
        found[path] = (source, "rw" if one.writable else "ro")
    for linked in _linked(job):
        found[str(linked)] = (str(linked), "ro")
    for mount in settings.mounts:
        source, target, mode = f"{mount}:ro".split(":")[:3]
        found[target] = (source, mode)
    return [(source, target, mode) for target, (source, mode) in found.items()]


def _writes(job: Job) -> bool:
    return any(mount.writable for mount in job.mounts.values())


def kept_there(there: str) -> str:
    """What jobs of a cluster behind ssh may write beside their own folders and keep: a hub's files."""
    return str(PurePosixPath(there).parents[1] / "hub")


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _folded(words: Iterable[str]) -> str:
    """A command whose output goes to the log, no line too long to be read."""
    lines = [""]
    for word in [*words, ">> log 2>&1 < /dev/null"]:
        if lines[-1].strip() and len(lines[-1]) + len(word) > _WIDTH:
            lines[-1] += "\\"
            lines.append("    ")
        lines[-1] += f"{word} "
    return "\n".join(line.rstrip() for line in lines)


def _linked(job: Job) -> list[Path]:
    """Inputs that stay where they are: a container must be shown them."""
    return [p.resolve() for name, p in job.inputs.items() if (job.workdir / name).is_symlink()]


def _time(settings: Settings, job: Job) -> str | None:
    """Slurm's limit: that of the settings, or a while beyond evalmake's own."""
    if settings.time is None and job.timeout is None:
        return None
    seconds = settings.time.seconds if settings.time else (job.timeout or 0) + _SPARE
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 1440}-{minutes % 1440 // 60:02}:{minutes % 60:02}:00"


def _word(value: object) -> str:
    """A value as sbatch reads it on a line of its own."""
    text = str(value)
    return f'"{text}"' if any(c.isspace() for c in text) else text


def _pyxis(image: str) -> str:
    """enroot parts the registry from the name by `#`; a file is told by its path."""
    if image.startswith(("/", "./", "docker://")):
        return image
    first, slash, rest = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return f"docker://{first}#{rest}" if is_host else f"docker://{image}"


def _apptainer(image: str) -> str:
    return image if image.startswith(("/", "./")) or "://" in image else f"docker://{image}"
