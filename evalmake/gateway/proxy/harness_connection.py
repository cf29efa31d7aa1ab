"""The harness's side: HTTP/1.1 with keep-alive, pipelining and back pressure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from evalmake.http_protocol.messages import LAST_CHUNK, Headers, Request, chunk, response_head
from evalmake.http_protocol.server_connection import ServerConnection

LARGEST_BODY = 256 * 2**20
_BODILESS = (204, 304)

Handler = Callable[[Request, "HarnessConnection"], Awaitable[None]]


class HarnessConnection(ServerConnection):
    """One harness's connection. Requests are handled one after another, in the order of their arrival."""

    largest_body = LARGEST_BODY

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._handler = handler
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._current: Request | None = None
        self._writable: asyncio.Future[None] | None = None
        self.reply_started = False
        """Whether a part of the reply to the current request was sent."""

    # The transport calls these

    def connection_lost(self, error: Exception | None) -> None:
        """The harness is gone: stop working for it."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The harness reads slowly: make `send_piece` wait."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The harness has caught up, or is gone."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # Requests

    def has_unanswered(self) -> bool:
        """Whether a request is being handled."""
        return self._current is not None

    def receive_request(self, request: Request) -> None:
        """Handle the request, or queue it."""
        self._waiting.append(request)
        if self._task is None:
            self._task = self._loop.create_task(self._handle_requests())

    async def _handle_requests(self) -> None:
        try:
            while self._waiting and not self._transport.is_closing():
                self._current = self._waiting.popleft()
                self.reply_started = False
                await self._handler(self._current, self)
                if not self._current.keep_alive:
                    self._transport.close()
        finally:
            self._task = self._current = None

    def refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, and close."""
        body = message.encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        self._transport.write(response_head(status, headers, False) + body)
        self._transport.close()

    # Replies to the current request

    def send_reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole reply."""
        assert self._current is not None
        self.reply_started = True
        if self._current.method == b"HEAD" or status in _BODILESS:
            self._transport.write(response_head(status, headers, self._current.keep_alive))
            return
        length = (b"content-length", b"%d" % len(body))
        head = response_head(status, [*headers, length], self._current.keep_alive)
        self._transport.write(head + body)

    def start_stream(self, status: int, headers: Headers) -> None:
        """Start a reply whose length is not known."""
        request = self._current
        assert request is not None
        self.reply_started = True
        if request.accepts_chunks:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        self._transport.write(response_head(status, headers, request.keep_alive and request.accepts_chunks))

    async def send_piece(self, data: bytes) -> None:
        """Send a piece of a stream; waits while the harness reads slowly."""
        assert self._current is not None
        if data:
            self._transport.write(chunk(data) if self._current.accepts_chunks else data)
        if self._writable is not None:
            await self._writable

    def end_stream(self) -> None:
        """End a stream. Without chunks, its end is the connection's."""
        assert self._current is not None
        if self._current.accepts_chunks:
            self._transport.write(LAST_CHUNK)
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close in the middle of a reply, so that the harness sees that it is not whole."""
        self._transport.close()
