"""`evalmake status`: the jobs in the journal, of this build or of one that was killed or detached."""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from evalmake.command_line.evalfile import open_executors
from evalmake.command_line.job_selection import JobSelection, known_workspaces, select_jobs
from evalmake.command_line.options import declare, jobs_argument, json_option
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.text import natural_order
from evalmake.planner.graph import Node
from evalmake.planning import declarations_with_packages
from evalmake.plugin_api.executor import Executor, Phase
from evalmake.run.environments.environments import environments_folder
from evalmake.run.environments.installations import is_installing
from evalmake.run.task import read_progress
from evalmake.store.journal import Journal, JournalEntry
from evalmake.terminal import job_status
from evalmake.terminal.job_status import KINDS, JobStatus
from evalmake.workspace import Workspace

_POLL = 2.0  # seconds between two looks with --follow


@declare("status")
@jobs_argument
@click.option("--all", "everywhere", is_flag=True, help="Show the jobs of all your Evalfiles, in whatever folder.")
@click.option("-F", "--follow", is_flag=True, help="Repeat until no job is left.")
@json_option
def command(file: Path | None, words: Sequence[str], everywhere: bool, follow: bool, as_json: bool) -> int:
    """Print a line for each job, and for packages that are being installed. An id is found from any folder."""
    if everywhere and words:
        raise click.UsageError("`--all` takes no targets")
    selections = list(_select_everything(file)) if everywhere else select_jobs(file, words, "status")
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
    """Every workspace in which something may run; one whose Evalfile has errors is told and left out."""
    for known in known_workspaces(file):
        if not known.has_jobs and not is_installing(environments_folder(known.store_folder)):
            continue
        try:
            yield JobSelection(Workspace.open(known.evalfile))
        except EvalmakeError as error:
            click.echo(f"{known.evalfile} cannot be loaded: {error.diagnostics[0].message}", err=True)


def list_jobs(chosen: JobSelection, executors: Mapping[str, Executor]) -> list[JobStatus]:
    """What is chosen: packages that are being installed, jobs of the journal, and those that ended, if named by id."""
    workspace = chosen.workspace
    nodes = workspace.graph(chosen.targets).nodes if chosen.targets else {}
    evalfile = str(workspace.project.path.absolute())
    jobs = [_describe_job(workspace, entry, executors) for entry in _choose_entries(chosen, set(nodes), executors)]
    ended = [JobStatus.of_attempt(attempt, evalfile) for attempt in chosen.attempts]
    return [
        *_list_installations(chosen, nodes.values()),
        *sorted([*jobs, *ended], key=lambda job: natural_order(job.name)),
    ]


def _choose_entries(chosen: JobSelection, names: Container[str], executors: Container[str]) -> Iterator[JournalEntry]:
    """The entries of the journal that are chosen."""
    ids = {job.id for job in chosen.jobs}
    for entry in Journal(chosen.workspace.root / "journal").entries():
        if entry.kind not in KINDS or entry.executor not in executors:
            continue
        if chosen.is_everything or entry.name in names or entry.id in ids:
            yield entry


def _describe_job(workspace: Workspace, entry: JournalEntry, executors: Mapping[str, Executor]) -> JobStatus:
    """A job with the state that its executor reports."""
    state = executors[entry.executor].poll(entry.id)
    # The journal is written before the job is submitted, so the executor may not know the job yet.
    detail = "not submitted yet" if state.phase is Phase.UNKNOWN else state.detail
    evalfile = str(workspace.project.path.absolute())
    return JobStatus.of_entry(entry, state.phase.value, detail, _read_progress(workspace, entry), evalfile)


def _list_installations(chosen: JobSelection, nodes: Collection[Node]) -> Iterator[JobStatus]:
    """The environments that are being installed, of the chosen targets or of all that the Evalfile declares."""
    workspace = chosen.workspace
    project = workspace.project
    declared = [*project.benchmarks.values(), *project.deployments.values()] if chosen.is_everything else []
    declarations = declared or declarations_with_packages(workspace, nodes)
    for one in workspace.environments().installations(declarations):
        yield JobStatus.of_installation(one, str(project.path.absolute()))


def _read_progress(workspace: Workspace, entry: JournalEntry) -> str:
    """`12/40` samples, where the harness reports it."""
    done, total, _ = read_progress(workspace.root / "work" / entry.id, {})
    return f"{done}/{total}" if total else ""
