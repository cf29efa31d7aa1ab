"""The health of executors: whether they answer, and what their queued jobs wait for."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from evalmake.run.events import Emit, ExecutorReachable, ExecutorUnreachable, JobsQueued

_TRIES_ONCE_REACHED = 6  # tries to submit a job; with pauses that double from one second, a minute
_TRIES_NEVER_REACHED = 3  # it may be misconfigured: the user hears of it after a few seconds
_QUEUE_NOTICE_PAUSE = 5.0  # seconds; reasons in a queue change more often than anybody wants to read


class ExecutorHealth:
    """Tracks whether executors answer. Announces each change once."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._unreachable: set[str] = set()
        self._ever_reached: set[str] = set()
        self._last_notice: dict[str, tuple[float, str]] = {}
        self._queued: dict[str, Counter[str]] = defaultdict(Counter)

    def mark_reachable(self, executor: str) -> None:
        """Note that an executor answered."""
        self._ever_reached.add(executor)
        if executor in self._unreachable:
            self._unreachable.remove(executor)
            self._emit(ExecutorReachable(executor))

    def mark_unreachable(self, executor: str, reason: str) -> None:
        """Note that an executor did not answer."""
        if executor not in self._unreachable:
            self._unreachable.add(executor)
            self._emit(ExecutorUnreachable(executor, reason))

    def count_queued(self, executor: str, reason: str) -> None:
        """Note that a job is in its executor's queue, until the next `announce_queues`."""
        self._queued[executor][reason] += 1

    def announce_queues(self) -> None:
        """Say what most jobs of each queue wait for, where that has changed."""
        now = time.monotonic()
        for executor, reasons in self._queued.items():
            [(reason, _)] = reasons.most_common(1)
            since, last = self._last_notice.get(executor, (0.0, ""))
            if reason and reason != last and now - since > _QUEUE_NOTICE_PAUSE:
                self._last_notice[executor] = (now, reason)
                self._emit(JobsQueued(executor, reasons.total(), reason))
        self._queued.clear()

    def max_submit_tries(self, executor: str) -> int:
        """How often to try to submit a job to an executor that does not answer."""
        return _TRIES_ONCE_REACHED if executor in self._ever_reached else _TRIES_NEVER_REACHED
