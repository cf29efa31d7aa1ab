"""The scripts that Slurm is given: what a person reads who asks what a job does.

A batch is one call of sbatch: one job, or an array of jobs that ask for the same. Its script finds
the job by its place in the array; the job's own, `job.sh` in its folder, says all the rest.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping

from evalmake.executors.slurm.containers import ENGINES, SECRETS, by_an_engine, contained, folded, kept_by
from evalmake.executors.slurm.multi_node import TOLD, everywhere, nodes_of, told
from evalmake.executors.slurm.settings import Settings
from evalmake.plugin_api.executor import Job, Sidecar

KEYS = ".keys"
"""The file of the secrets that are for what runs beside a job."""
STARTED = "started"
ALONE = ('exec /bin/bash "../$job/job.sh"',)
"""The end of a batch's script, where a job is all that its allocation is for."""
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


def batch_script(
    name: str,
    asks: Iterable[str],
    comment: str,
    ids: list[str],
    at_once: int | None,
    ends: Iterable[str] = ALONE,
) -> str:
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
    argv = [python, "-P", "-m", "evalmake.gateway.sidecar.colocation", str(at_once)]
    return (
        *(f"module load {shlex.quote(module)}" for module in settings.modules),
        *settings.prologue,
        "# Evaluations that ask this server run beside it: it is given them in its folder `queue`.",
        f'exec {shlex.join(argv)} "../$job"',
    )


def job_script(job: Job, there: str, settings: Settings, python: str, secrets: Iterable[str]) -> str:
    """What one job runs, in its folder `there` on the node; `secrets` are names of variables."""

    def said(word: str, interpreter: str) -> str:
        return interpreter if word == "{python}" else word.replace(str(job.workdir), there)

    env = {name: said(value, value) for name, value in job.env.items()}
    env["EVALMAKE_WORKDIR"] = there
    beside = job.sidecar or Sidecar(())
    hidden = [name for name in secrets if name not in beside.secrets]
    nodes = nodes_of(job, settings)
    names = {*env, *beside.variables, *(TOLD if nodes > 1 else ())}
    inside = contained(job, there, settings, sorted(names), hidden)
    words = [shlex.quote(said(word, python)) for word in beside.argv]
    words += everywhere(job, settings, inside) if nodes > 1 else inside
    words += [shlex.quote(said(word, "python3" if inside else python)) for word in job.argv]
    lines = [
        "#!/bin/bash",
        f"# {job.name} (evalmake's job {job.id}); what it prints goes to `log`",
        f"cd {shlex.quote(there)} || exit 97",
        f"mkdir {STARTED} 2>/dev/null || exit 0  # another job of Slurm runs it already",
        f'echo "{_OWN_ID}" > {STARTED}/by',
        *(f"module load {shlex.quote(module)} >> log 2>&1" for module in settings.modules),
        *settings.prologue,
        *([f"mkdir -p {shlex.quote(kept)}"] if inside and (kept := kept_by(job, there, settings)) else []),
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())),
        *told(nodes),
    ]
    lines += _has_python(python) if beside.argv else []
    in_engine = inside and settings.container in ENGINES
    if files := [f for f, names in ((SECRETS, hidden), (KEYS, beside.secrets)) if names]:
        if in_engine:
            files = [file for file in files if file != SECRETS]
        lines += [f". ./{file} && rm -f {file}  # only its owner can read it" for file in files]
    runs = by_an_engine(words, job, settings) if in_engine else [folded(words), "status=$?"]
    lines += ["", *runs]
    return "\n".join([*lines, "echo $status > .status && mv .status status", "exit $status", ""])


def _has_python(python: str) -> list[str]:
    """The lines that end a job on a node without the interpreter of its gateways."""
    why = f"evalmake: there is no {python} here, which runs the gateways: see its setting python"
    said = f"echo {shlex.quote(why)} >> log; echo 96 > status; exit 96"
    return [f"command -v {shlex.quote(python)} > /dev/null || {{ {said}; }}"]


def spoken(secrets: Mapping[str, str]) -> bytes:
    """Secrets as a shell reads them."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    return "".join(lines).encode(errors="surrogateescape")


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
    if not any(c.isspace() for c in text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
