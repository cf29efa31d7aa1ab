"""How executors stand: told once when one cannot be reached, once when it can again, and what jobs wait for."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from evalmake.run.events import Emit, ExecutorUnreachable, JobsQueued

_ONCE_REACHED = 6  # tries to start a job: with waits that double, a minute
_NEVER_REACHED = 3
_SELDOM = 5.0  # seconds between two words on what an executor's jobs wait for


class ExecutorHealth:
    """What was last known of each executor."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._away: set[str] = set()
        self._reached: set[str] = set()
        self._told: dict[str, tuple[float, str]] = {}
        self._waiting: dict[str, Counter[str]] = defaultdict(Counter)

    def note(self, executor: str, why: str) -> None:
        """It answered, or did not, and `why`."""
        if not why:
            self._reached.add(executor)
        if bool(why) != (executor in self._away):
            self._away ^= {executor}
            self._emit(ExecutorUnreachable(executor, why))

    def waits(self, executor: str, why: str) -> None:
        """One of its jobs is in its queue."""
        self._waiting[executor][why] += 1

    def tell(self) -> None:
        """Say what most jobs in each queue wait for, where that has changed."""
        now = time.monotonic()
        for executor, reasons in self._waiting.items():
            [(why, _)] = reasons.most_common(1)
            since, told = self._told.get(executor, (0.0, ""))
            if why and why != told and now - since > _SELDOM:
                self._told[executor] = (now, why)
                self._emit(JobsQueued(executor, reasons.total(), why))
        self._waiting.clear()

    def patience(self, executor: str) -> int:
        """How often to try again to start a job there."""
        return _ONCE_REACHED if executor in self._reached else _NEVER_REACHED
