"""A model's server that follows a test's script and records every byte that it receives."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, NamedTuple


class ReceivedRequest(NamedTuple):
    """One request as it arrived: `connection` counts from 0, `at` is in seconds."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    raw: bytes
    connection: int
    at: float

    def header(self, name: bytes) -> bytes | None:
        """A header's value by its lower-case name; None if it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class ConnectionEnd(Enum):
    """How a script ends the connection; HANG sends nothing until the other side closes it."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


Step = bytes | float | ConnectionEnd
Script = Callable[[ReceivedRequest], Iterable[Step]]
"""Bytes are sent, a number is a pause in seconds; after the last step the connection stays open."""


class Upstream:
    """A server on its own port, whose script can be changed at any time."""

    def __init__(self, script: Script | Sequence[Step]) -> None:
        self.received: list[ReceivedRequest] = []
        self.connections = 0
        self.closed = 0
        """Connections that are over."""
        self.abandoned = 0
        """Connections that the other side closed during a script."""
        self.written = 0
        self.use_scripts(script)
        self.port = self._listen(None)
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def add_tls_url(self, context: ssl.SSLContext) -> str:
        """A further URL of the same server, behind TLS, under the name `localhost`."""
        self.address = f"localhost:{self._listen(context)}"
        return f"https://{self.address}/v1"

    def _listen(self, context: ssl.SSLContext | None) -> int:
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26, ssl=context)
        server = asyncio.run_coroutine_threadsafe(listening, server_loop()).result(30)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def use_scripts(self, *scripts: Script | Sequence[Step]) -> Upstream:
        """Use these scripts from now on: one for each request, the last one for all that follow."""
        self._scripts = list(scripts)
        return self

    @property
    def bodies(self) -> list[Any]:
        """The JSON of all requests."""
        return [json.loads(request.body) for request in self.received]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen = await _read_request(reader, number)
                self.received.append(seen)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                for step in script(seen) if callable(script) else script:
                    await self._do(step, reader, writer)
        self.closed += 1
        writer.close()

    async def _do(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            try:
                writer.write(step)
                await writer.drain()
            except ConnectionError:
                self.abandoned += 1
                raise
            self.written += len(step)
        elif step is ConnectionEnd.HANG:
            with suppress(ConnectionError):
                await reader.read()
            self.abandoned += 1
            raise ConnectionError
        elif isinstance(step, ConnectionEnd):
            if step is ConnectionEnd.RESET:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            raise ConnectionError
        else:
            await asyncio.sleep(step)


async def _read_request(reader: asyncio.StreamReader, connection: int) -> ReceivedRequest:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *lines = head[:-4].split(b"\r\n")
    method, target, _ = line.split(b" ")
    headers = [tuple(line.split(b": ", 1)) for line in lines]
    size = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
    body = await reader.readexactly(size)
    return ReceivedRequest(method, target, headers, body, head + body, connection, time.monotonic())


_started: list[asyncio.AbstractEventLoop] = []


def server_loop() -> asyncio.AbstractEventLoop:
    """The loop that all servers of this process share, in a thread of its own."""
    if not _started:
        _started.append(asyncio.new_event_loop())
        threading.Thread(target=_started[0].run_forever, daemon=True).start()
    return _started[0]
