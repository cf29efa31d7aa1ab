"""`evalmake status`: the jobs in the journal, of this build or of one that was killed or detached."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click

from evalmake.commands.declaration import declare, json_option
from evalmake.commands.evalfile import open_executors, open_workspace
from evalmake.language.text import natural_order
from evalmake.plugin_api.executor import Executor, Phase
from evalmake.run.task import read_progress
from evalmake.store.journal import Journal, JournalEntry
from evalmake.terminal import job_status
from evalmake.terminal.job_status import KINDS, JobStatus
from evalmake.workspace import Workspace

_POLL = 2.0  # seconds between two looks with --follow


@declare("status")
@click.option("-F", "--follow", is_flag=True, help="Repeat until no job is left.")
@json_option
def command(file: Path | None, follow: bool, as_json: bool) -> int:
    """Print a line for each job."""
    workspace = open_workspace(file)
    render = job_status.to_json if as_json else job_status.to_table
    with open_executors(workspace) as executors:
        while True:
            jobs = list_jobs(workspace, executors)
            click.echo(render(jobs))
            if not follow or not any(job.is_active for job in jobs):
                return 0
            time.sleep(_POLL)


def list_jobs(workspace: Workspace, executors: Mapping[str, Executor]) -> list[JobStatus]:
    """The evaluations and servers in the journal, with the state that their executor reports."""
    jobs = []
    for entry in Journal(workspace.root / "journal").entries():
        executor = executors.get(entry.executor)
        if entry.kind not in KINDS or executor is None:
            continue
        state = executor.poll(entry.id)
        # The journal is written before the job is submitted, so the executor may not know the job yet.
        detail = "not submitted yet" if state.phase is Phase.UNKNOWN else state.detail
        jobs.append(JobStatus(entry, state.phase.value, detail, _read_progress(workspace, entry)))
    return sorted(jobs, key=lambda job: natural_order(job.entry.name))


def _read_progress(workspace: Workspace, entry: JournalEntry) -> str:
    """`12/40` samples, where the harness reports it."""
    done, total, _ = read_progress(workspace.root / "work" / entry.id, {})
    return f"{done}/{total}" if total else ""
