"""The script that a job runs, in its folder on the volume: what a person reads who asks what it does."""

from __future__ import annotations

import shlex

from evalmake.executors.slurm.job_script import STARTED
from evalmake.plugin_api.executor import Job, Sidecar

NO_EVALMAKE = 96
TOOK = "seconds"
"""The file with how long a job ran."""


def job_script(job: Job, there: str, python: str) -> str:
    """What one job runs in its folder `there`; secrets are in its environment."""

    def said(word: str) -> str:
        return shlex.quote(python if word == "{python}" else word.replace(str(job.workdir), there))

    env = {name: value.replace(str(job.workdir), there) for name, value in job.env.items()}
    env["EVALMAKE_WORKDIR"] = there
    beside = job.sidecar or Sidecar(())
    has = f"{shlex.quote(python)} -P -c 'import evalmake.gateway.sidecar.__main__'"
    why = f"evalmake: the image has no evalmake for {python}, which runs the gateways"
    why += ": see `image`, and `python` of the executor"
    lines = [
        f"# {job.name} (evalmake's job {job.id}); what it prints goes to `log`",
        "umask 000",
        f"cd {shlex.quote(there)} || exit 97",
        f"mkdir {STARTED} 2>/dev/null || exit 0  # it was started before, in another container",
        "began=$(date +%s)",
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())),
        "",
    ]
    command = " ".join(map(said, (*beside.argv, *job.argv)))
    if beside.argv:
        lines += [
            f"if {has} 2>> log; then",
            f"    {command} >> log 2>&1 < /dev/null",
            "    status=$?",
        ]
        lines += ["else", f"    echo {shlex.quote(why)} >> log", f"    status={NO_EVALMAKE}", "fi"]
    else:
        lines += [f"{command} > log 2>&1 < /dev/null", "status=$?"]
    lines += [
        f"echo $(($(date +%s) - began)) > {TOOK}",
        "echo $status > .status && mv .status status",
    ]
    return "\n".join([*lines, "exit $status", ""])
