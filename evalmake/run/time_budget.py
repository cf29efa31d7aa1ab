"""The time that a chain of jobs may run in all, on an executor that ends each of them after a while."""

from __future__ import annotations

from dataclasses import dataclass

from evalmake.language.values import Duration
from evalmake.plugin_api.executor import JobState
from evalmake.project.declarations import Declaration

_SHORTEST = 60.0  # seconds: with less than that left, no other job starts


@dataclass(slots=True, eq=False)
class TimeBudget:
    """The time of a job and of those that resume it, against the executor's `total_time`; None: no limit."""

    executor: str = ""
    total: Duration | None = None
    _limit: float = 0.0  # of one job
    _used: float = 0.0

    @classmethod
    def of(cls, executor: Declaration | None) -> TimeBudget:
        """The budget that an executor gives each chain of jobs; none on one that no Evalfile declares."""
        total: Duration | None = getattr(executor and executor.settings, "total_time", None)
        if executor is None or total is None:
            return cls()
        limit: Duration = getattr(executor.settings, "time", total)
        return cls(executor.name, total, limit.seconds)

    @property
    def left(self) -> float | None:
        """How long the next job may run at most; None: as long as its executor lets it."""
        return max(0.0, self.total.seconds - self._used) if self.total else None

    @property
    def spent(self) -> str:
        """Why no other job may start, as what a server or evaluation did; empty where one may."""
        if self.total is None or self.total.seconds - self._used >= _SHORTEST:
            return ""
        return (
            f"ran for {self.total} in all, the `total_time` of executor {self.executor}: "
            "raise that, and the next build goes on from the replies that are cached"
        )

    def resumes(self, state: JobState) -> bool:
        """Whether a job ended only because its time was over, and another is to go on from there."""
        return state.out_of_time and self.total is not None

    def count(self, seconds: float, state: JobState | None) -> None:
        """Count the time of a job; one that is out of time ran as long as it could, whatever was seen of it."""
        if (left := self.left) is None:
            return
        granted = min(self._limit, left)
        self._used += granted if state and state.out_of_time else min(max(0.0, seconds), granted)
