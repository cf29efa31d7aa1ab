"""Wakes the scheduler, which waits for file descriptors."""

from __future__ import annotations

import contextlib
import socket


class Wakeup:
    """A file descriptor that is readable from `wake` until `clear`."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._is_awake = False

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._receiver.fileno()

    def wake(self) -> None:
        """Make the descriptor readable; any thread may call this."""
        with contextlib.suppress(OSError):
            self._sender.send(b"!")
        self._is_awake = True

    def clear(self) -> None:
        """Make the descriptor unreadable until the next `wake`."""
        if not self._is_awake:
            return
        self._is_awake = False
        with contextlib.suppress(OSError):
            while self._receiver.recv(4096):
                pass
