"""What a server has seen, for tests to count."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any


class Stats:
    """Counts of requests, all but those for /stats and /health."""

    def __init__(self) -> None:
        self._paths: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._bodies: set[int] = set()
        self._last_second: deque[float] = deque()
        self._peak_per_second = 0
        self._in_flight = 0
        self._peak_in_flight = 0

    def record_arrival(self, path: str, now: float) -> None:
        """Count a request for a path that arrived at `now`, in seconds of any origin."""
        self._paths[path] += 1
        self._last_second.append(now)
        while now - self._last_second[0] >= 1:
            self._last_second.popleft()
        self._peak_per_second = max(self._peak_per_second, len(self._last_second))
        self._in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, self._in_flight)

    def record_body(self, digest: int) -> None:
        """Note the digest of an arrived request's body."""
        self._bodies.add(digest)

    def record_outcome(self, outcome: str) -> None:
        """Count how a request ends: with a status, `hang` or `reset`."""
        self._outcomes[outcome] += 1

    def record_end(self) -> None:
        """Count a request that is no longer in flight: it was answered, or its connection is gone."""
        self._in_flight -= 1

    def summarize(self) -> dict[str, Any]:
        """All counts."""
        return {
            "requests": self._paths.total(),
            "paths": dict(self._paths),
            "statuses": dict(self._outcomes),
            "distinct_bodies": len(self._bodies),
            "peak_per_second": self._peak_per_second,
            "in_flight": self._in_flight,
            "peak_in_flight": self._peak_in_flight,
        }
