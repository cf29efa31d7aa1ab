"""Writes the script that a job runs in its folder on the volume. People read it, too, to see what a job does."""

from __future__ import annotations

import shlex

from evalmake.executors.remote.folder_layout import SECONDS, STARTED
from evalmake.plugin_api.executor import Job, Sidecar

NO_EVALMAKE = 96
"""The exit status of a job whose image cannot run its sidecar."""


def job_script(job: Job, folder: str, python: str) -> str:
    """Return the script of one job, which runs in `folder`; secrets are in its environment."""

    def translate(word: str) -> str:
        return shlex.quote(python if word == "{python}" else word.replace(str(job.workdir), folder))

    env = {name: value.replace(str(job.workdir), folder) for name, value in job.env.items()}
    env["EVALMAKE_WORKDIR"] = folder
    sidecar = job.sidecar or Sidecar(())
    has_evalmake = f"{shlex.quote(python)} -P -c 'import evalmake.gateway.sidecar.__main__'"
    why = f"evalmake: {python} in the image has no evalmake, which runs the gateways"
    why += ": set `image`, or `python` of the executor"
    lines = [
        f"# {job.name} (evalmake's job {job.id}); its output goes to `log`",
        "umask 000",
        f"cd {shlex.quote(folder)} || exit 97",
        f"mkdir {STARTED} 2>/dev/null || exit 0  # another container runs it already",
        "began=$(date +%s)",
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())),
        "",
    ]
    command = " ".join(map(translate, (*sidecar.argv, *job.argv)))
    if sidecar.argv:
        lines += [
            f"if {has_evalmake} 2>> log; then",
            f"    {command} >> log 2>&1 < /dev/null",
            "    status=$?",
        ]
        lines += ["else", f"    echo {shlex.quote(why)} >> log", f"    status={NO_EVALMAKE}", "fi"]
    else:
        lines += [f"{command} > log 2>&1 < /dev/null", "status=$?"]
    lines += [
        f"echo $(($(date +%s) - began)) > {SECONDS}",
        "echo $status > .status && mv .status status",
    ]
    return "\n".join([*lines, "exit $status", ""])
