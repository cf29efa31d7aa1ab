"""Why containers of a cluster did not start, in the words of their runtimes."""

from __future__ import annotations

import pytest

from evalmake.executors.slurm.container_failures import explain_container_end
from evalmake.plugin_api.executor import JobState, Phase

PYXIS = """\
pyxis: importing docker image: docker://acme/none:1
slurmstepd: error: pyxis: child 812 failed with error code: 1
slurmstepd: error: pyxis: failed to import docker image
slurmstepd: error: pyxis: printing enroot log file:
slurmstepd: error: pyxis:     [ERROR] URL https://registry-1.docker.io/v2/acme/none/manifests/1 returned error code: 401
srun: error: n1: task 0: Exited with exit code 1
"""
OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks have been OOM Killed.\n"


@pytest.mark.parametrize(
    ("runtime", "status", "log", "detail"),
    [
        ("pyxis", 1, PYXIS, "exit status 1: slurmstepd: error: pyxis:     [ERROR] URL https://registry-1"),
        ("pyxis", 1, "Traceback\nValueError: 7\nsrun: error: n1: task 0: Exited with exit code 1\n", "exit status 1"),
        ("pyxis", 1, OOM + "srun: error: n1: task 0: Out Of Memory\n", "OUT_OF_MEMORY: it ran out of memory"),
        ("pyxis", 137, OOM, "OUT_OF_MEMORY: it ran out of memory"),
        ("pyxis", 127, "env: 'srun': No such file or directory\n", "exit status 127: env: 'srun': No such file"),
        ("apptainer", 255, "INFO:  x\nFATAL:   could not open image /a.sif\n", "exit status 255: FATAL:   could not"),
        ("apptainer", 1, "FATAL:   of the job's own\n", "exit status 1"),
        ("podman", 125, "Trying to pull\nError: initializing source: denied\n", "exit status 125: Error: initial"),
        ("docker", 125, "docker: Error response from daemon: no such image\n", "exit status 125: docker: Error"),
        ("docker", 0, OOM, ""),
        ("docker", 3, "the model says: out of memory\n", "exit status 3"),
    ],
)
def test_ends(runtime: str, status: int, log: str, detail: str) -> None:
    """The line of the log that says why is shown, and memory is told as such; a job's own failure stays its own."""
    bare = JobState(Phase.ENDED, status, f"exit status {status}" if status else "")
    shown = explain_container_end(bare, runtime, log)
    assert shown.detail.startswith(detail)
    assert shown.detail != bare.detail or bare.detail == detail
    assert shown.status == (137 if "OUT_OF_MEMORY" in detail else status)
