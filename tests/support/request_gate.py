"""A proxy in front of a server that holds requests of one kind until a test opens it."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 2**16


class RequestGate:
    """Stands at `listener`; a request that begins as `pattern` says waits until the gate opens.

    The first `ahead` of them pass. With `midway` they all pass, and of each reply no more than its
    beginning. `held` are the first lines of those that wait.
    """

    def __init__(
        self,
        listener: socket.socket,
        server: str | tuple[str, int],
        pattern: str,
        ahead: int = 0,
        midway: bool = False,
    ) -> None:
        self.held: list[str] = []
        self._pattern = re.compile(pattern.encode())
        self._ahead, self._midway = ahead, midway
        self._server = server
        self._open = threading.Event()
        self._listener = listener
        threading.Thread(target=self._admit, daemon=True).start()

    def open(self) -> None:
        """Forward what is held, unless its client is gone, and hold nothing from now on."""
        self._open.set()

    def close(self) -> None:
        """Open the gate, and accept no more connections."""
        self.open()
        self._listener.close()

    def _admit(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        unix, slow = isinstance(self._server, str), threading.Event()
        server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        with client, server, contextlib.suppress(OSError):
            server.connect(self._server)
            back = threading.Thread(target=self._reply, args=(server, client, slow), daemon=True)
            back.start()
            while data := client.recv(_CHUNK):
                if self._must_wait(data):
                    if self._midway:
                        slow.set()
                    self.held.append(data.split(b"\r\n")[0].decode())
                    if not self._midway:
                        self._open.wait()
                        if _is_closed(client):
                            break
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join()

    def _must_wait(self, data: bytes) -> bool:
        if self._open.is_set() or not self._pattern.match(data):
            return False
        self._ahead -= 1
        return self._ahead < 0

    def _reply(self, server: socket.socket, client: socket.socket, slow: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(_CHUNK):
                client.sendall(data)
                if slow.is_set():
                    self._open.wait()
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextlib.contextmanager
def gate_engine(url: str, pattern: str, ahead: int = 0) -> Iterator[tuple[RequestGate, str]]:
    """A gate in front of a Docker engine's socket, and the gate's own URL."""
    folder = Path(tempfile.mkdtemp(prefix="gate-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    gate = RequestGate(listener, url.removeprefix("unix://"), pattern, ahead)
    try:
        yield gate, f"unix://{folder}/socket"
    finally:
        gate.close()
        shutil.rmtree(folder)


@contextlib.contextmanager
def gate_registry(host: str, pattern: str) -> Iterator[tuple[RequestGate, str]]:
    """A gate in front of a registry that holds replies midway, and its own `host:port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    name, _, port = host.partition(":")
    gate = RequestGate(listener, (name, int(port)), pattern, midway=True)
    try:
        yield gate, f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        gate.close()
