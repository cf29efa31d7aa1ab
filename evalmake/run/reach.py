"""Which executors can be reached: told once when one cannot, and once when it can again."""

from __future__ import annotations

from evalmake.run.events import Emit, OutOfReach

_ONCE_REACHED = 6  # tries to start a job: with waits that double, a minute
_NEVER_REACHED = 3


class Reach:
    """What was last known of each executor."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._away: set[str] = set()
        self._reached: set[str] = set()

    def note(self, executor: str, why: str) -> None:
        """It answered, or did not, and `why`."""
        if not why:
            self._reached.add(executor)
        if bool(why) != (executor in self._away):
            self._away ^= {executor}
            self._emit(OutOfReach(executor, why))

    def patience(self, executor: str) -> int:
        """How often to try again to start a job there."""
        return _ONCE_REACHED if executor in self._reached else _NEVER_REACHED
