"""The log of a running container, whose end wakes the scheduler."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from evalmake.executors.docker.engine import Engine
from evalmake.executors.remote.wakeup import Wakeup
from evalmake.plugin_api.executor import JobState

_TRUSTED = 5.0  # seconds for which an open log means that its container runs
_AGAIN = 1.0


class Running:
    """A container that ran when it was last asked for: its log comes into `path` as it is written."""

    def __init__(self, engine: Engine, container: str, path: Path, state: JobState, wakeup: Wakeup) -> None:
        self.state = state
        self._engine, self._container, self._bell = engine, container, wakeup
        self._log = path.open("wb")
        self._since = self._asked = time.monotonic()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(OSError, LookupError), self._log, self._engine.asked() as api:
            for chunk in api.logs(self._container, stream=True, follow=True):
                self._log.write(chunk)
                self._log.flush()
        self._bell.wake()

    @property
    def surely(self) -> bool:
        """Whether the engine need not be asked: the log is open, and it was asked a moment ago."""
        return self._thread.is_alive() and time.monotonic() - self._asked < _TRUSTED

    def seen(self) -> bool:
        """It was asked for again and runs; whether its log is followed, or will be in a moment."""
        self._asked = time.monotonic()
        return self._thread.is_alive() or self._asked - self._since < _AGAIN
