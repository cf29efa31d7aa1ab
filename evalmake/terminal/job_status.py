"""What `evalmake status` prints: jobs as a table and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.store.journal import JournalEntry
from evalmake.terminal.tables import align_columns

KINDS = {"evaluate": "evaluation", "serve": "server"}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job in the journal, and what its executor says of it."""

    entry: JournalEntry
    phase: str
    detail: str
    progress: str
    evalfile: str

    @property
    def is_active(self) -> bool:
        """Whether it may still change by itself."""
        return self.phase in ("queued", "running", "unreachable")


def to_json(jobs: Sequence[JobStatus], everywhere: bool = False) -> str:
    """A list of objects."""
    return json.dumps(
        [
            {
                "name": job.entry.name,
                "kind": KINDS[job.entry.kind],
                "executor": job.entry.executor,
                "job": job.entry.id,
                "state": job.phase,
                "detail": job.detail,
                "progress": job.progress,
                "since": job.entry.started,
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
                job.entry.name,
                job.entry.executor,
                job.phase,
                job.progress,
                _render_age(max(0.0, now - job.entry.started)),
                job.entry.id,
                *([job.evalfile] if everywhere else []),
                job.detail,
            )
            for job in jobs
        ]
    )
    if any(job.phase == "ended" and job.entry.kind == "evaluate" for job in jobs):
        lines.append("`evalmake` collects the results of jobs that have ended")
    return "\n".join(lines)


def _render_age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.1f}h"
