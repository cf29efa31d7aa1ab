"""`evalmake cancel`: end jobs of a build that runs, was killed, or is detached; their targets are stale again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import exclusive, open_executors
from evalmake.command_line.job_selection import JobSelection, select_jobs
from evalmake.command_line.options import declare, jobs_argument
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.file_tree import remove_tree
from evalmake.language.text import natural_order
from evalmake.plugin_api.executor import Executor
from evalmake.store.cancel_requests import CancelAnswer, CancelRequests
from evalmake.store.journal import Journal, JournalEntry
from evalmake.store.lock import find_holder
from evalmake.workspace import Workspace

_POLL = 0.05  # seconds between two looks for an answer
_PATIENCE = 2.0  # seconds without an answer before that is told


@declare("cancel")
@jobs_argument
def command(file: Path | None, words: Sequence[str]) -> int:
    """Cancel the jobs of these targets, those with these ids, or all jobs. An id is found from any folder."""
    selections = select_jobs(file, words, "cancel")
    servers = [job for chosen in selections for job in chosen.jobs if job.kind != "evaluate"]
    ended = [attempt for chosen in selections for attempt in chosen.attempts]
    for attempt in ended:
        moment = attempt.finished[:16].replace("T", " ")
        click.echo(f"{attempt.name} has ended: {attempt.status} {moment}, job {attempt.job}")
    for server in servers:
        click.echo(f"{server.name} is a server: cancel the evaluations that ask it, and it stops", err=True)
    cancelled = sum(cancel_jobs(chosen) for chosen in selections if _has_evaluations(chosen))
    if not cancelled and not ended and not servers:
        click.echo("no jobs to cancel")
    return 2 if servers else 0


def _has_evaluations(chosen: JobSelection) -> bool:
    return chosen.is_everything or bool(chosen.targets) or any(job.kind == "evaluate" for job in chosen.jobs)


def cancel_jobs(chosen: JobSelection) -> int:
    """Cancel evaluations; how many there were.

    EvalmakeError names the executors that do not answer, whose jobs stay in the journal.
    """
    from evalmake.run.concurrency import run_concurrently

    workspace, ids = chosen.workspace, {job.id for job in chosen.jobs}
    by_name = chosen.targets or chosen.is_everything
    names = set(workspace.graph(chosen.targets).nodes) if by_name else set()
    journal = Journal(workspace.root / "journal")
    answer = _ask_build(workspace, CancelRequests(journal.folder), tuple(names), tuple(ids))
    count = len(answer.ended) + len(answer.dropped) if answer else 0
    if answer and not _find_others(journal, names, ids, answer):
        return count
    with open_executors(workspace) as executors, exclusive(workspace.root):
        entries = [
            entry
            for entry in sorted(journal.entries(), key=lambda entry: natural_order(entry.name))
            if entry.kind == "evaluate" and (entry.name in names or entry.id in ids) and entry.executor in executors
        ]
        errors = run_concurrently(lambda entry: _cancel(workspace, executors, journal, entry), entries)
        done = [entry for entry, error in zip(entries, errors, strict=True) if not error]
        with workspace.store() as store:
            store.withdraw_reruns(entry.action for entry in done)
        journal.forget_builds()
    _report(workspace, entries, errors)
    return count + len(entries)


def _find_others(journal: Journal, names: set[str], ids: set[str], answer: CancelAnswer) -> list[JournalEntry]:
    """Jobs that are meant and that the build does not know, as those of an earlier one."""
    known = {name for name, _ in answer.ended}
    chosen = (entry for entry in journal.entries() if entry.name in names or entry.id in ids)
    return [entry for entry in chosen if entry.kind == "evaluate" and entry.name not in known]


def _ask_build(
    workspace: Workspace, requests: CancelRequests, names: tuple[str, ...], ids: tuple[str, ...]
) -> CancelAnswer | None:
    """Ask the build that runs to cancel evaluations, and say what it did; None once no build runs."""
    began, told = time.monotonic(), ""
    while holder := find_holder(workspace.root):
        with requests.open(holder, names, ids) as request:
            while find_holder(workspace.root) == holder and requests.is_open(request):
                if holder != told and time.monotonic() > began + _PATIENCE:
                    told = holder
                    click.echo(f"waiting for {holder}", err=True)
                time.sleep(_POLL)
            answer = requests.find_answer(request)
        if answer is not None:
            for name, executor in answer.ended:
                click.echo(f"cancelled {name} on {executor}")
            for name in answer.dropped:
                click.echo(f"cancelled {name}, which had not started")
            return answer
    return None


def _cancel(workspace: Workspace, executors: Mapping[str, Executor], journal: Journal, entry: JournalEntry) -> str:
    """End one job and forget it; why it cannot be done, empty if it was."""
    folder = workspace.root / "work" / entry.id
    try:
        executors[entry.executor].cancel(entry.id)
        executors[entry.executor].fetch(entry.id, folder)
    except OSError as error:
        return str(error)
    remove_tree(folder)
    journal.remove(entry.id)
    return ""


def _report(workspace: Workspace, entries: Sequence[JournalEntry], errors: Sequence[str]) -> None:
    """Print what was cancelled, and raise one error for each executor that failed."""
    problems = Diagnostics()
    messages: dict[str, str] = {}
    for entry, error in zip(entries, errors, strict=True):
        if error:
            messages[entry.executor] = error
        else:
            click.echo(f"cancelled {entry.name} on {entry.executor}")
    for name, error in messages.items():
        problems.error("executor-failed", error, workspace.project.executors[name].span)
    problems.check()
