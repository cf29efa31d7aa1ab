"""Ctrl-C, TERM and HUP as a byte on a pipe, so that the scheduler's one wait wakes."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

guest: ContextVar[bool] = ContextVar("guest", default=False)
"""Whether evalmake runs inside a program of somebody else's, a process that it must not end."""


class Signals:
    """Counts signals while it is entered; from the second on `at_once` is called, unless a guest."""

    def __init__(self, at_once: Callable[[], None]) -> None:
        self.count = 0
        self._at_once = at_once
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self.pipe, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            try:
                self._before[number] = signal.signal(number, self._caught)
            except ValueError:  # not in the main thread: the caller's handlers stay
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.pipe)
        os.close(self._write)

    def wait(self, handles: Iterable[int], seconds: float) -> None:
        """Sleep until one of these can be read, a signal comes, or it is time."""
        poller = select.poll()
        for handle in (self.pipe, *handles):
            poller.register(handle, select.POLLIN)
        for handle, _ in poller.poll(seconds * 1000):
            if handle == self.pipe:
                os.read(handle, 64)

    def _caught(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count > 1 and not guest.get():
            self._at_once()
        os.write(self._write, b"!")


def kill_groups(files: Iterable[Path]) -> None:
    """KILL to the process groups whose numbers these files hold."""
    for file in files:
        try:
            os.killpg(int(file.read_text()), signal.SIGKILL)
        except (OSError, ValueError):
            continue
