"""Follows the log of a running container. Its end wakes the scheduler."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from evalmake.executors.docker.engine import Engine
from evalmake.executors.remote.wakeup import Wakeup
from evalmake.plugin_api.executor import JobState

_TRUST_TIME = 5.0  # seconds for which an open log proves that its container runs
_REOPEN_AFTER = 1.0


class FollowedContainer:
    """A container that ran when the engine was last asked. Its log is copied to `path` as it grows."""

    def __init__(self, engine: Engine, container: str, path: Path, state: JobState, wakeup: Wakeup) -> None:
        self.state = state
        self._engine, self._container, self._wakeup = engine, container, wakeup
        self._log = path.open("wb")
        self._opened_at = self._asked_at = time.monotonic()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(OSError, LookupError), self._log, self._engine.call() as api:
            for chunk in api.logs(self._container, stream=True, follow=True):
                self._log.write(chunk)
                self._log.flush()
        self._wakeup.wake()

    @property
    def is_surely_running(self) -> bool:
        """Whether the engine need not be asked: the log is open, and the engine was asked a moment ago."""
        return self._thread.is_alive() and time.monotonic() - self._asked_at < _TRUST_TIME

    def note_running(self) -> bool:
        """Note that the engine says it runs; return whether its log is followed, or was opened a moment ago."""
        self._asked_at = time.monotonic()
        return self._thread.is_alive() or self._asked_at - self._opened_at < _REOPEN_AFTER
