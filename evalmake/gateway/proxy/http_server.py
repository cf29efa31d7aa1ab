"""Towards the harness: HTTP/1.1 over asyncio; keep-alive, pipelining, back pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from evalmake.gateway.proxy.http_messages import Headers, Request, reply_head

LARGEST_BODY = 256 * 2**20
_BODILESS = (204, 304)

Handler = Callable[[Request, "Connection"], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One harness's connection. Requests are handled one after another, as they came.

    TCP_NODELAY needs no setting here: both loops set it on every TCP connection.
    """

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        self._handler = handler
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._current: Request | None = None
        self._writable: asyncio.Future[None] | None = None
        self.begun = False
        """Whether a part of the answer to the present request is out."""
        self._transport: asyncio.Transport

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as an ordinary request, which RFC 9110 (7.8) allows
        except httptools.HttpParserError as error:
            self._refuse(400, f"not HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        """The harness is gone: what was done for it ends."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The harness reads slowly."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """It has caught up, or is gone."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # The parser's calls

    def on_message_begin(self) -> None:
        """A new request."""
        self._url = b""
        self._headers: Headers = []
        self._expects = False
        self._chunks: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """The request's target, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name, value))
        if name.lower() == b"expect":
            self._expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Ask for the body of a client that waits for that."""
        if self._expects and self._current is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, chunk: bytes) -> None:
        """Keep a part of the body, unless there is too much of it."""
        self._size += len(chunk)
        if self._size <= LARGEST_BODY:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def on_message_complete(self) -> None:
        """Handle the request, or line it up."""
        if self._size > LARGEST_BODY:
            self._refuse(413, f"the body is larger than {LARGEST_BODY} bytes")
            return
        request = Request(
            self._parser.get_method(),
            self._url,
            self._headers,
            b"".join(self._chunks),
            self._parser.should_keep_alive(),
            self._parser.get_http_version() != "1.0",
        )
        self._waiting.append(request)
        if self._task is None:
            self._task = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        """Handle what is lined up."""
        try:
            while self._waiting and not self._transport.is_closing():
                self._current = self._waiting.popleft()
                self.begun = False
                await self._handler(self._current, self)
                if not self._current.keep_alive:
                    self._transport.close()
        finally:
            self._task = self._current = None

    # Answering the request that is being handled

    def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer in one piece."""
        assert self._current is not None
        self.begun = True
        if self._current.method == b"HEAD" or status in _BODILESS:
            self._transport.write(reply_head(status, headers, self._current.keep_alive))
            return
        length = (b"content-length", b"%d" % len(body))
        head = reply_head(status, [*headers, length], self._current.keep_alive)
        self._transport.write(head + body)

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer whose length is not known."""
        request = self._current
        assert request is not None
        self.begun = True
        if request.chunks:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        self._transport.write(reply_head(status, headers, request.keep_alive and request.chunks))

    async def send(self, data: bytes) -> None:
        """A piece of it; waits while the harness reads slowly."""
        assert self._current is not None
        if data:
            piece = b"%x\r\n%b\r\n" % (len(data), data) if self._current.chunks else data
            self._transport.write(piece)
        if self._writable is not None:
            await self._writable

    def end(self) -> None:
        """Its end."""
        assert self._current is not None
        if self._current.chunks:
            self._transport.write(b"0\r\n\r\n")
        else:
            self._transport.close()

    def abort(self) -> None:
        """The answer cannot be finished: the harness must see that it broke off."""
        self._transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, and close."""
        body = message.encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        self._transport.write(reply_head(status, headers, False) + body)
        self._transport.close()
