"""Ports of nodes that ssh forwards to this host, for as long as they are used."""

from __future__ import annotations

import contextlib
import socket
import time

from evalmake.executors.remote.shell import Shell

_CHECK_INTERVAL = 5.0  # seconds between two looks at whether ssh still listens


class PortForwards:
    """Gives each port of a node a local port, which stays the same when the connection is lost and made again."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._local_ports: dict[tuple[str, int], int] = {}
        self._checked_at = 0.0

    def local_port(self, node: str, port: int) -> int:
        """Return the local port that leads to a port of a node; forward it if need be."""
        local_port = self._local_ports.get((node, port)) or _free_port()
        if (node, port) not in self._local_ports or not _is_taken(local_port):
            self._shell.forward_port(node, port, local_port)
            self._local_ports[node, port] = local_port
        return local_port

    def restore_lost(self) -> None:
        """Forward again what was lost with the connection; looks every few seconds only."""
        if not self._local_ports or time.monotonic() < self._checked_at + _CHECK_INTERVAL:
            return
        self._checked_at = time.monotonic()
        for node, port in self._local_ports:
            with contextlib.suppress(OSError):
                self.local_port(node, port)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _is_taken(port: int) -> bool:
    """Return whether somebody listens on a port, without connecting to it."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
