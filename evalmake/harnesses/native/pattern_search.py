"""Searches with the patterns of users, for a limited time: some take longer than the age of the universe.

While `re` searches, nothing else of this process runs, so only a signal can end it.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST_SECONDS = 1.0


class PatternTooSlow(Exception):
    """A pattern took too long on one reply."""


def search(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match; PatternTooSlow after a second."""
    with _limit_time(pattern):
        return pattern.search(text)


@contextmanager
def _limit_time(pattern: re.Pattern[str]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread; the native harness scores there
        return

    def give_up(number: int, frame: object) -> None:
        raise PatternTooSlow(
            f"the pattern {pattern.pattern!r} took longer than {MOST_SECONDS:g}s on this reply: it tries too many ways"
            " to match, as (a+)+ does"
        )

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
