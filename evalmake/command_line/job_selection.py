"""Which jobs the words of a command mean: targets of the Evalfile here, or ids of jobs of any folder."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.planner.action import ActionResult
from evalmake.project.command_words import Word, Words
from evalmake.run.workspace_registry import KnownWorkspace, list_workspaces
from evalmake.store.journal import JournalEntry
from evalmake.store.readable_attempts import find_attempt_of_job
from evalmake.store.store import Store
from evalmake.workspace import Workspace, find_evalfile

_JOB_ID = re.compile(r"[0-9a-f]{12}\.s?[0-9a-f]+")


@dataclass(slots=True)
class JobSelection:
    """What a command is about: some targets and jobs of a workspace, running or ended, or all of it."""

    workspace: Workspace
    targets: tuple[Word, ...] = ()
    jobs: list[JournalEntry] = field(default_factory=list)
    attempts: list[ActionResult] = field(default_factory=list)

    @property
    def is_everything(self) -> bool:
        """Whether nothing was named, so that all is meant."""
        return not self.targets and not self.jobs and not self.attempts


def is_job_id(word: str) -> bool:
    """Whether a word has the form of the id of a job."""
    return _JOB_ID.fullmatch(word) is not None


def select_jobs(file: Path | None, words: Sequence[str], command: str) -> list[JobSelection]:
    """What the words of a command mean; EvalmakeError for an id that no job has, running or ended, in any folder."""
    parsed = Words.of(words, command)
    ids = [target.text for target in parsed.targets if is_job_id(target.text)]
    targets = tuple(target for target in parsed.targets if not is_job_id(target.text))
    chosen: dict[Path, JobSelection] = {}
    if targets or not ids:
        evalfile = locate_evalfile(file)
        chosen[evalfile.absolute()] = JobSelection(Workspace.open(evalfile, parsed.overrides), targets)
    for id in ids:
        evalfile, job = _find_job(file, id)
        if evalfile not in chosen:
            chosen[evalfile] = JobSelection(Workspace.open(evalfile))
        if isinstance(job, ActionResult):
            chosen[evalfile].attempts.append(job)
        else:
            chosen[evalfile].jobs.append(job)
    return list(chosen.values())


def describe_running(job: JournalEntry) -> str:
    """Why a job has no attempt: it runs, or is a server."""
    if job.kind == "evaluate":
        return (
            f"{job.name}: job {job.id} has not ended, so it is no attempt yet; `evalmake logs {job.id}` shows its log"
        )
    return f"{job.name}: job {job.id} is a server, which leaves a log alone: `evalmake logs {job.id}`"


def known_workspaces(file: Path | None) -> list[KnownWorkspace]:
    """That of the Evalfile here, if there is one, and all others that were built."""
    here = file if file is not None else find_evalfile(Path.cwd())
    others = list_workspaces()
    if here is None:
        return others
    mine = next((one for one in others if one.evalfile == here.absolute()), KnownWorkspace.at(here))
    return [mine, *(one for one in others if one != mine)]


def _find_job(file: Path | None, id: str) -> tuple[Path, JournalEntry | ActionResult]:
    """The Evalfile of a job, and its entry in the journal or its attempt; the Evalfile here comes first."""
    known = known_workspaces(file)
    for one in known:
        if entry := next((entry for entry in one.journal.entries() if entry.id == id), None):
            return one.evalfile, entry
    for one in known:
        with contextlib.suppress(EvalmakeError), Store.read(one.store_folder) as store:
            if attempt := find_attempt_of_job(store, id):
                return one.evalfile, attempt
    help = ["`evalmake status --all` lists the jobs of all folders, `evalmake history` those of an Evalfile that ended"]
    raise make_error("unknown-target", f"no job has the id `{id}`", help=help)
