"""Writes the scripts that Slurm runs. People read them, too, to see what a job does.

A batch is one call of sbatch: one job, or an array of jobs with the same options. Its script finds the job by
its index in the array. The script of the job, `job.sh` in its folder, does the rest.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable

from evalmake.executors.remote.folder_layout import SECRETS, SIDECAR_SECRETS, STARTED
from evalmake.executors.slurm.containers import (
    ENGINES,
    container_words,
    fold_command,
    hide_variables,
    hub_cache,
    note_variables,
    run_in_engine,
)
from evalmake.executors.slurm.multi_node import NODE_VARIABLES, count_nodes, export_nodes, launch_on_all_nodes
from evalmake.executors.slurm.settings import Settings
from evalmake.plugin_api.executor import Job, Sidecar

RUN_ONE_JOB = ('exec /bin/bash "../$job/job.sh"',)
"""The end of a batch's script, if the allocation is for one job alone."""
_SLURM_ID = "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
_SPARE = 600  # seconds by which Slurm's time limit exceeds evalmake's own


def directives(job: Job, settings: Settings) -> tuple[str, ...]:
    """Return the options of sbatch for a job. Jobs with the same options may form one array."""
    nodes = count_nodes(job, settings)
    options: dict[str, object] = {
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
        "time": _time_limit(settings, job),
    }
    lines = [f"--{name}={_quote(value)}" for name, value in options.items() if value is not None]
    return (*lines, *settings.directives)


def batch_script(
    name: str,
    directives: Iterable[str],
    comment: str,
    ids: list[str],
    at_once: int | None,
    runs: Iterable[str] = RUN_ONE_JOB,
) -> str:
    """Return the script of a batch. Beside it lie `jobs`, the ids by line, and what Slurm itself prints."""
    lines = ["#!/bin/bash", f"#SBATCH --job-name={name}", f"#SBATCH --comment={_quote(comment)}"]
    lines += [f"#SBATCH {line}" for line in directives]
    lines += ["#SBATCH --no-requeue", "#SBATCH --open-mode=append"]
    if len(ids) > 1:
        limit = f"%{at_once}" if at_once else ""
        lines += [f"#SBATCH --array=0-{len(ids) - 1}{limit}", "#SBATCH --output=slurm-%a.out"]
        lines += [
            "",
            "# Each job of the array is a line of `jobs`, and has a folder with everything that it runs.",
        ]
        lines += ['job=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" jobs)']
    else:
        lines += ["#SBATCH --output=slurm-0.out", "", "job=$(cat jobs)"]
    return "\n".join([*lines, *runs, ""])


def run_host_job(settings: Settings, python: str, slots: int) -> tuple[str, ...]:
    """Return the end of a batch's script, if other jobs share the allocation; they find the same environment."""
    argv = [python, "-P", "-m", "evalmake.gateway.sidecar.colocation", str(slots)]
    return (
        *(f"module load {shlex.quote(module)}" for module in settings.modules),
        *settings.prologue,
        "# Evaluations of this server run in its allocation. They arrive in its folder `queue`.",
        f'exec {shlex.join(argv)} "../$job"',
    )


def job_script(job: Job, folder: str, settings: Settings, python: str, secrets: Iterable[str]) -> str:
    """Return the script of one job, which runs in `folder` on the node; `secrets` are names of variables."""

    def translate(word: str, interpreter: str) -> str:
        return interpreter if word == "{python}" else word.replace(str(job.workdir), folder)

    env = {name: translate(value, value) for name, value in job.env.items()}
    env["EVALMAKE_WORKDIR"] = folder
    sidecar = job.sidecar or Sidecar(())
    job_secrets = [name for name in secrets if name not in sidecar.secrets]
    nodes = count_nodes(job, settings)
    names = {*env, *sidecar.variables, *(NODE_VARIABLES if nodes > 1 else ())}
    container = container_words(job, folder, settings, sorted(names), job_secrets)
    words = [shlex.quote(translate(word, python)) for word in sidecar.argv]
    words += launch_on_all_nodes(job, settings, container) if nodes > 1 else container
    words += [shlex.quote(translate(word, "python3" if container else python)) for word in job.argv]
    lines = [
        "#!/bin/bash",
        f"# {job.name} (evalmake's job {job.id}); its output goes to `log`",
        f"cd {shlex.quote(folder)} || exit 97",
        f"mkdir {STARTED} 2>/dev/null || exit 0  # another job of Slurm runs it already",
        f'echo "{_SLURM_ID}" > {STARTED}/by',
        *note_variables(job, settings),
        *(f"module load {shlex.quote(module)} >> log 2>&1" for module in settings.modules),
        *settings.prologue,
        *hide_variables(job, settings, {*names, *job_secrets}),
        *([f"mkdir -p {shlex.quote(cache)}"] if container and (cache := hub_cache(job, folder, settings)) else []),
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())),
        *export_nodes(nodes),
    ]
    lines += _check_python(python) if sidecar.argv else []
    in_engine = container and settings.container in ENGINES
    if files := [f for f, names in ((SECRETS, job_secrets), (SIDECAR_SECRETS, sidecar.secrets)) if names]:
        if in_engine:
            files = [file for file in files if file != SECRETS]  # the shell in the container reads it
        lines += [f". ./{file} && rm -f {file}  # only its owner can read it" for file in files]
    runs = run_in_engine(words, job, settings) if in_engine else [fold_command(words), "status=$?"]
    lines += ["", *runs]
    return "\n".join([*lines, "echo $status > .status && mv .status status", "exit $status", ""])


def _check_python(python: str) -> list[str]:
    """Return the lines that end a job on a node without the interpreter of its sidecar."""
    why = f"evalmake: this node has no {python}, which runs the gateways: set python of the executor"
    give_up = f"echo {shlex.quote(why)} >> log; echo 96 > status; exit 96"
    return [f"command -v {shlex.quote(python)} > /dev/null || {{ {give_up}; }}"]


def _time_limit(settings: Settings, job: Job) -> str | None:
    """Return Slurm's time limit: `time` of the settings, or a while more than evalmake's own limit."""
    if settings.time is None and job.timeout is None:
        return None
    seconds = settings.time.seconds if settings.time else (job.timeout or 0) + _SPARE
    seconds = min(seconds, seconds if job.time_left is None else job.time_left)
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 1440}-{minutes % 1440 // 60:02}:{minutes % 60:02}:00"


def _quote(value: object) -> str:
    """Return a value as sbatch reads it in a directive."""
    text = str(value)
    if not any(c.isspace() for c in text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
