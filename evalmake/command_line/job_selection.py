"""Which jobs the words of a command mean: targets of the Evalfile here, or ids of jobs of any folder."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.planner.action import ActionResult
from evalmake.run.workspace_registry import list_workspaces, open_journal
from evalmake.store.journal import JournalEntry
from evalmake.store.readable_attempts import read_attempts
from evalmake.workspace import Workspace, find_evalfile

_JOB_ID = re.compile(r"[0-9a-f]{12}\.s?[0-9a-f]+")


@dataclass(slots=True)
class JobSelection:
    """What a command is about: some targets and jobs of a workspace, running or ended, or all of it."""

    workspace: Workspace
    words: list[str] = field(default_factory=list)
    jobs: list[JournalEntry] = field(default_factory=list)
    attempts: list[ActionResult] = field(default_factory=list)

    @property
    def is_everything(self) -> bool:
        """Whether nothing was named, so that all is meant."""
        return not self.words and not self.jobs and not self.attempts


def is_job_id(word: str) -> bool:
    """Whether a word has the form of the id of a job."""
    return _JOB_ID.fullmatch(word) is not None


def select_jobs(file: Path | None, words: Sequence[str], ended: bool = False) -> list[JobSelection]:
    """What `words` mean; EvalmakeError for an id that no running job has.

    With `ended`, an id may also be that of a job that has ended, in the store of the Evalfile here.
    """
    ids = [word for word in words if is_job_id(word)]
    others = [word for word in words if word not in ids]
    chosen: dict[Path, JobSelection] = {}
    if others or not ids:
        evalfile = locate_evalfile(file)
        chosen[evalfile.absolute()] = JobSelection(Workspace.open(evalfile), others)
    for id in ids:
        evalfile, job = (ended and _find_ended(file, id)) or _find_job(file, id)
        if evalfile not in chosen:
            chosen[evalfile] = JobSelection(Workspace.open(evalfile))
        if isinstance(job, ActionResult):
            chosen[evalfile].attempts.append(job)
        else:
            chosen[evalfile].jobs.append(job)
    return list(chosen.values())


def list_evalfiles(file: Path | None) -> list[Path]:
    """The Evalfile here, if there is one, and all others that may have jobs."""
    here = file if file is not None else find_evalfile(Path.cwd())
    return list(dict.fromkeys([*([here.absolute()] if here is not None else []), *list_workspaces()]))


def _find_ended(file: Path | None, id: str) -> tuple[Path, ActionResult] | None:
    """The Evalfile here and the attempt of a job that has ended."""
    here = file if file is not None else find_evalfile(Path.cwd())
    if here is None:
        return None
    with contextlib.suppress(EvalmakeError), Workspace.open(here).read_store() as store:
        return next(((here.absolute(), one) for one in read_attempts(store)[0] if one.job == id), None)
    return None


def _find_job(file: Path | None, id: str) -> tuple[Path, JournalEntry]:
    """The Evalfile and the journal's entry of a job; the Evalfile here comes first."""
    found = list(_find_jobs(file, id))
    if not found:
        help = ["`evalmake status --all` lists the jobs of all folders; a job that has ended is shown by its target"]
        raise make_error("unknown-target", f"no job has the id `{id}`", help=help)
    return found[0]


def _find_jobs(file: Path | None, id: str) -> Iterator[tuple[Path, JournalEntry]]:
    for evalfile in list_evalfiles(file):
        yield from ((evalfile, entry) for entry in open_journal(evalfile).entries() if entry.id == id)
