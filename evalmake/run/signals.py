"""Signals: Ctrl-C, TERM and HUP write a byte to a pipe, which wakes the scheduler."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from evalmake.interrupts import restore_handlers, set_handlers

is_embedded: ContextVar[bool] = ContextVar("is_embedded", default=False)
"""Whether evalmake runs inside another program, whose process it must not end."""


class Signals:
    """Counts signals while it is entered. From the second on it calls `exit_at_once`, unless embedded."""

    def __init__(self, exit_at_once: Callable[[], None]) -> None:
        self.count = 0
        self._exit_at_once = exit_at_once
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._previous = set_handlers(self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        restore_handlers(self._previous)
        os.close(self._read_end)
        os.close(self._write_end)

    def wait(self, handles: Iterable[int], seconds: float) -> None:
        """Sleep until one of these descriptors is readable, a signal comes, or the time is up."""
        poller = select.poll()
        for handle in (self._read_end, *handles):
            poller.register(handle, select.POLLIN)
        for handle, _ in poller.poll(seconds * 1000):
            if handle == self._read_end:
                os.read(handle, 64)

    def _handle(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count > 1 and not is_embedded.get():
            self._exit_at_once()
        os.write(self._write_end, b"!")
