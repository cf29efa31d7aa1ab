"""Why a container did not start, or was killed, by the lines that its runtime leaves in the log of a job.

A runtime's own failure has a bare exit status: 1 of pyxis, 255 of Apptainer, 125 of Docker and Podman, 127 without the
program. Under srun, the kernel's end of a step for its memory looks like any other.
"""

from __future__ import annotations

import re

from evalmake.executors.exit_status import describe_exit_status
from evalmake.executors.slurm.job_states import OUT_OF_MEMORY
from evalmake.plugin_api.executor import JobState

_MEMORY = re.compile(r"^(?:\d+: )?(?:slurmstepd|srun): .*(?:oom[-_ ]?kill|out of memory|memory limit)", re.I | re.M)
_NOT_FOUND = r".*\b(?:srun|apptainer|docker|podman|enroot)\b.*(?:not found|No such file).*|evalmake: cannot run .*"
_LINES = {
    "pyxis": r".*\bpyxis: .*|.*\benroot.*\[ERROR\].*|\[ERROR\].*|srun: .*(?:unrecognized option|Unable to).*",
    "apptainer": r"FATAL: .*|.*\bFATAL:.*",
    "docker": r"docker: .*|Unable to find image .*|Error response from daemon: .*",
    "podman": r"Error: .*",
}
_STATUSES = {"pyxis": (1,), "apptainer": (255,), "docker": (125,), "podman": (125,)}
_LONGEST = 300  # characters of a line in a message


def explain_container_end(state: JobState, runtime: str, log: str) -> JobState:
    """Return the state with a cause that only the end of the job's log names, as far as there is one."""
    if not state.status:
        return state
    if _MEMORY.search(log):
        return JobState(state.phase, OUT_OF_MEMORY.status, OUT_OF_MEMORY.detail, state.facts)
    if state.status not in (*_STATUSES[runtime], 126, 127):
        return state
    lines = re.findall(rf"^(?:\d+: )?(?:{_LINES[runtime]}|{_NOT_FOUND})$", log, re.M)
    if not lines:
        return state
    line = _pick(lines).strip()[:_LONGEST]
    return JobState(state.phase, state.status, f"{describe_exit_status(state.status)}: {line}", state.facts)


def _pick(lines: list[str]) -> str:
    """Return the line that says most: pyxis repeats enroot's errors, between lines of its own."""
    return next((line for line in lines if "[ERROR]" in line), lines[0])
