"""A small HTTP proxy: it tunnels CONNECT, forwards plain requests, and records what it was asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from tests.support.scripted_upstream import server_loop


class SmallProxy:
    """A proxy on its own port. `names` are hosts that only it knows: where they are; `user` is who may use it."""

    def __init__(self, names: dict[str, tuple[str, int]] | None = None, authorization: str = "") -> None:
        self.names = names or {}
        self.authorization = authorization
        self.requests: list[str] = []
        """The first line of each request."""
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(starting, server_loop()).result(30)
        self.port: int = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.partition(b"\r\n")
            method, target, version = line.decode().split()
            self.requests.append(f"{method} {target}")
            if self.authorization and f"proxy-authorization: {self.authorization}".encode() not in rest:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
            else:
                await self._pass(method, target, version, rest, reader, writer)
        writer.close()

    async def _pass(
        self,
        method: str,
        target: str,
        version: str,
        rest: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host, port = self.names.get(parts.hostname or "", (parts.hostname or "", parts.port or 80))
        far_reader, far_writer = await asyncio.open_connection(host, port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            far_writer.write(f"{method} {path} {version}\r\n".encode() + rest)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
