"""What wakes the scheduler."""

from __future__ import annotations

import contextlib
import socket


class Wakeup:
    """A descriptor that is readable once it rang, until it is hushed."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._rang = False

    def fileno(self) -> int:
        """What to wait on."""
        return self._near.fileno()

    def wake(self) -> None:
        """From any thread."""
        with contextlib.suppress(OSError):
            self._far.send(b"!")
        self._rang = True

    def clear(self) -> None:
        """Forget that it rang."""
        if not self._rang:
            return
        self._rang = False
        with contextlib.suppress(OSError):
            while self._near.recv(4096):
                pass
