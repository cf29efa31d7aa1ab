"""What is tried again, when, and when an evaluation is to end instead."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
HOPELESS = frozenset({401, 402, 403})
"""The key or the account is refused: no other request will fare better."""

_FIRST_WAIT, _LONGEST_WAIT, _LONGEST_RETRY_AFTER = 0.5, 30.0, 300.0  # seconds
_IN_A_ROW = 3


def wait(failures: int, after: float | None) -> float:
    """Seconds to wait after so many failures of a request: what the model asks for, and jitter.

    Exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015).
    """
    ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 10))
    return (after or 0.0) + random.uniform(0, ceiling)


def retry_after(value: bytes, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3); nonsense counts as absent."""
    if not value:
        return None
    text = value.decode("latin-1")
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now()).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER) if seconds == seconds else None


class Breaker:
    """Ends an evaluation that cannot succeed, with the reason, instead of letting it score zero."""

    def __init__(self, client_errors: bool | list[int]) -> None:
        self._ends = bool(client_errors) or client_errors == []
        self._excluded = set(client_errors) if isinstance(client_errors, list) else {408, 429}
        self._row = 0
        self.reason = ""

    def end(self, reason: str) -> None:
        """The evaluation is to end; the first reason stays."""
        self.reason = self.reason or reason

    def answered(self, status: int, message: str) -> None:
        """A reply went to the harness."""
        client = 400 <= status < 500 and self._ends and status not in self._excluded
        if status in HOPELESS or client:
            self.end(message)
        elif status < 400:
            self._row = 0

    def gave_up(self, message: str) -> None:
        """A request used up its tries."""
        self._row += 1
        if self._row >= _IN_A_ROW:
            self.end(f"{self._row} requests in a row failed, the last one: {message}")
