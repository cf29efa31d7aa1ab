"""Ports of nodes that ssh brings to this host, for as long as they are used."""

from __future__ import annotations

import contextlib
import socket
import time

from evalmake.executors.slurm.login_shell import Shell

_AGAIN = 5.0  # seconds between two looks whether ssh still listens


class Forwards:
    """Each port of a node has one here, which stays the same when the connection was cut and made again."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._near: dict[tuple[str, int], int] = {}
        self._looked = 0.0

    def to(self, node: str, port: int) -> int:
        """The port of this host that leads to one of a node."""
        near = self._near.get((node, port)) or _free()
        if (node, port) not in self._near or not _taken(near):
            self._shell.forward(node, port, near)
            self._near[node, port] = near
        return near

    def keep(self) -> None:
        """Make again what went with the connection, as soon as there is one; it is looked for now and then."""
        if not self._near or time.monotonic() < self._looked + _AGAIN:
            return
        self._looked = time.monotonic()
        for node, port in self._near:
            with contextlib.suppress(OSError):
                self.to(node, port)


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _taken(port: int) -> bool:
    """Whether somebody listens; who listens hears nothing of it."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
