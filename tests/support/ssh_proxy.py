"""A proxy before a TCP port, by which tests make a connection slow, silent or broken."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from tests.support.daemons import port

CHUNK = 4096


class Proxy:
    """Listens on `port`; `connections` counts those it took, `rate` is in bytes a second."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, port()
        self.rate: float | None = None
        self.refusing = False
        self.connections = 0
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Break every connection."""
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def hang(self) -> None:
        """Let nothing through any more, and tell nobody."""
        self._flows.clear()

    def flow(self) -> None:
        """Be a good connection again."""
        self.rate, self.refusing = None, False
        self._flows.set()

    def close(self) -> None:
        """Break every connection and take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.flow()
        self.cut()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self.refusing:
                    client.close()
                    continue
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.target)) as server,
        ):
            self._open |= {client, server}
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()
            self._open -= {client, server}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._flows.wait()
                if self.rate is not None:
                    time.sleep(len(data) / self.rate)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
