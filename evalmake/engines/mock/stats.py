"""What a server has seen, for tests to count."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any


class Stats:
    """Counts of requests, all but those for /stats and /health."""

    def __init__(self) -> None:
        self._paths: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._bodies: set[int] = set()
        self._last_second: deque[float] = deque()
        self._peak_per_second = 0
        self._in_flight = 0
        self._peak_in_flight = 0

    def arrived(self, path: str, now: float) -> None:
        """A request for a path arrived at `now`, in seconds of any origin."""
        self._paths[path] += 1
        self._last_second.append(now)
        while now - self._last_second[0] >= 1:
            self._last_second.popleft()
        self._peak_per_second = max(self._peak_per_second, len(self._last_second))
        self._in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, self._in_flight)

    def body(self, digest: int) -> None:
        """The arrived request has a body with this digest."""
        self._bodies.add(digest)

    def answered(self, outcome: str) -> None:
        """It was decided how the request ends: with a status, `hang` or `reset`."""
        self._statuses[outcome] += 1

    def left(self) -> None:
        """The request is no longer in flight: answered, or its connection is gone."""
        self._in_flight -= 1

    def report(self) -> dict[str, Any]:
        """All counts."""
        return {
            "requests": self._paths.total(),
            "paths": dict(self._paths),
            "statuses": dict(self._statuses),
            "distinct_bodies": len(self._bodies),
            "peak_per_second": self._peak_per_second,
            "in_flight": self._in_flight,
            "peak_in_flight": self._peak_in_flight,
        }
