"""`evalmake status`: the jobs in the journal, of this build or of one that was killed or detached."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from evalmake.command_line.evalfile import open_executors
from evalmake.command_line.job_selection import JobSelection, list_evalfiles, select_jobs
from evalmake.command_line.options import declare, json_option, words_argument
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.text import natural_order
from evalmake.plugin_api.executor import Executor, Phase
from evalmake.project.command_words import Words
from evalmake.run.task import read_progress
from evalmake.store.journal import Journal, JournalEntry
from evalmake.terminal import job_status
from evalmake.terminal.job_status import KINDS, JobStatus
from evalmake.workspace import Workspace

_POLL = 2.0  # seconds between two looks with --follow


@declare("status")
@words_argument
@click.option("--all", "everywhere", is_flag=True, help="Show the jobs of all your Evalfiles, in whatever folder.")
@click.option("-F", "--follow", is_flag=True, help="Repeat until no job is left.")
@json_option
def command(file: Path | None, words: Sequence[str], everywhere: bool, follow: bool, as_json: bool) -> int:
    """Print a line for each job."""
    if everywhere and words:
        raise click.UsageError("`--all` takes no targets")
    selections = list(_select_everything(file)) if everywhere else select_jobs(file, words)
    render = job_status.to_json if as_json else job_status.to_table
    with ExitStack() as stack:
        opened = [(chosen, stack.enter_context(open_executors(chosen.workspace))) for chosen in selections]
        while True:
            jobs = [job for chosen, executors in opened for job in list_jobs(chosen, executors)]
            click.echo(render(jobs, everywhere))
            if not follow or not any(job.is_active for job in jobs):
                return 0
            time.sleep(_POLL)


def _select_everything(file: Path | None) -> Iterator[JobSelection]:
    """Every workspace that may have jobs; one whose Evalfile has errors is told and left out."""
    for evalfile in list_evalfiles(file):
        try:
            yield JobSelection(Workspace.open(evalfile))
        except EvalmakeError as error:
            click.echo(f"{evalfile} cannot be loaded: {error.diagnostics[0].message}", err=True)


def list_jobs(chosen: JobSelection, executors: Mapping[str, Executor]) -> list[JobStatus]:
    """The evaluations and servers that are chosen of a journal, with the state that their executor reports."""
    jobs, workspace, ids = [], chosen.workspace, {job.id for job in chosen.jobs}
    names = set(workspace.graph(Words.of(chosen.words, "status").targets).nodes) if chosen.words else set()
    for entry in Journal(workspace.root / "journal").entries():
        executor = executors.get(entry.executor)
        if entry.kind not in KINDS or executor is None:
            continue
        if not (chosen.is_everything or entry.name in names or entry.id in ids):
            continue
        state = executor.poll(entry.id)
        # The journal is written before the job is submitted, so the executor may not know the job yet.
        detail = "not submitted yet" if state.phase is Phase.UNKNOWN else state.detail
        evalfile = str(workspace.project.path.absolute())
        jobs.append(JobStatus(entry, state.phase.value, detail, _read_progress(workspace, entry), evalfile))
    return sorted(jobs, key=lambda job: natural_order(job.entry.name))


def _read_progress(workspace: Workspace, entry: JournalEntry) -> str:
    """`12/40` samples, where the harness reports it."""
    done, total, _ = read_progress(workspace.root / "work" / entry.id, {})
    return f"{done}/{total}" if total else ""
