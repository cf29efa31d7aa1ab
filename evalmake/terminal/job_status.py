"""What `evalmake status` prints: jobs as a table and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evalmake.planner.action import ActionResult
from evalmake.run.environments.installations import Installation
from evalmake.store.journal import JournalEntry
from evalmake.terminal.tables import align_columns

KINDS = {"evaluate": "evaluation", "serve": "server"}
_ACTIVE = ("installing", "queued", "running", "unreachable")


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job, running or ended, or packages that are being installed; and what is known of its state."""

    name: str
    kind: str
    executor: str
    id: str
    started: float  # seconds since the epoch
    phase: str
    detail: str
    progress: str
    evalfile: str
    ended: float = 0.0  # seconds since the epoch; 0 if it has not ended

    @classmethod
    def of_entry(cls, entry: JournalEntry, phase: str, detail: str, progress: str, evalfile: str) -> JobStatus:
        """A job of the journal, and what its executor says of it."""
        kind = KINDS[entry.kind]
        return cls(entry.name, kind, entry.executor, entry.id, entry.started, phase, detail, progress, evalfile)

    @classmethod
    def of_attempt(cls, attempt: ActionResult, evalfile: str) -> JobStatus:
        """A job whose result is in the store."""
        started = datetime.fromisoformat(attempt.started).timestamp()
        moment = attempt.finished[:16].replace("T", " ")
        detail = " ".join(f"{moment} {attempt.detail}".split())
        kind = KINDS["evaluate"]
        ended = datetime.fromisoformat(attempt.finished).timestamp()
        return cls(
            attempt.name, kind, attempt.executor, attempt.job, started, attempt.status, detail, "", evalfile, ended
        )

    @classmethod
    def of_installation(cls, found: Installation, evalfile: str) -> JobStatus:
        """Packages that are being installed."""
        return cls(found.name, "packages", "", "", found.began, "installing", found.doing, "", evalfile)

    @property
    def is_active(self) -> bool:
        """Whether it may still change by itself."""
        return self.phase in _ACTIVE


def to_json(jobs: Sequence[JobStatus], everywhere: bool = False) -> str:
    """A list of objects."""
    return json.dumps(
        [
            {
                "name": job.name,
                "kind": job.kind,
                "executor": job.executor,
                "job": job.id,
                "state": job.phase,
                "detail": job.detail,
                "progress": job.progress,
                "since": job.started,
                "evalfile": job.evalfile,
            }
            for job in jobs
        ]
    )


def to_table(jobs: Sequence[JobStatus], everywhere: bool = False) -> str:
    """A line for each job, and what to do about those that have ended; `everywhere` says of which Evalfile it is."""
    if not jobs:
        return "no unfinished jobs"
    now = time.time()
    lines = align_columns(
        [
            (
                job.name if job.kind != "packages" else f"packages of {job.name}",
                job.executor,
                job.phase,
                job.progress,
                _render_age(max(0.0, (job.ended or now) - job.started)),
                job.id,
                *([job.evalfile] if everywhere else []),
                job.detail,
            )
            for job in jobs
        ]
    )
    if any(job.phase == "ended" and job.kind == KINDS["evaluate"] for job in jobs):
        lines.append("`evalmake` collects the results of jobs that have ended")
    return "\n".join(lines)


def _render_age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.1f}h"
