"""Ends what takes too long on one reply.

It counts the processor's time, not the clock's: a busy machine must not change a score. While `re` or sympy works,
nothing else of this process runs, so only a signal can end it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooSlow(Exception):
    """Something took too long on one reply."""


class _Expired(BaseException):
    """Passes the `except Exception` of libraries."""


@contextmanager
def limit_time(seconds: float, what: str, why: str = "") -> Iterator[None]:
    """Raise TooSlow once this process has worked for so many seconds; `what` begins its message, `why` ends it.

    Signals are for the main thread; in other threads there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(number: int, frame: object) -> None:
        raise _Expired

    before = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _Expired:
        raise TooSlow(f"{what} took longer than {seconds:g}s on this reply{why}") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
