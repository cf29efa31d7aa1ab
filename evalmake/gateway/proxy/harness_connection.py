"""The harness's side: HTTP/1.1 with keep-alive, pipelining and back pressure."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from evalmake.http_protocol.gateway_errors import build_error_body
from evalmake.http_protocol.messages import LAST_CHUNK, Headers, Request, chunk, response_head
from evalmake.http_protocol.server_connection import ServerConnection

LARGEST_BODY = 256 * 2**20
_MOST_WAITING = 8
"""Requests that wait behind others of their connection; the kernel keeps the rest, and makes the harness wait."""
_BODILESS = (204, 304)
_JSON = (b"content-type", b"application/json")

Handler = Callable[[Request, "HarnessConnection"], Awaitable[None]]
HeadCheck = Callable[[Request], tuple[int, str] | None]


class _Refusal(NamedTuple):
    """The answer to what never became a request."""

    status: int
    message: str


class HarnessConnection(ServerConnection):
    """One harness's connection. Requests are handled one after another, in the order of their arrival."""

    largest_body = LARGEST_BODY

    def __init__(self, handler: Handler, check_head: HeadCheck, loop: asyncio.AbstractEventLoop) -> None:
        """`check_head` sees a request without its body, and says why it is refused, if it is."""
        super().__init__(loop)
        self._handler = handler
        self._check_head = check_head
        self._waiting: deque[Request | _Refusal] = deque()
        self._reading_paused = False
        self._task: asyncio.Task[None] | None = None
        self._current: Request | None = None
        self._writable: asyncio.Future[None] | None = None
        self.reply_started = False
        """Whether a part of the reply to the current request was sent."""

    # The transport calls these

    def connection_lost(self, error: Exception | None) -> None:
        """The harness is gone: stop working for it."""
        super().connection_lost(error)
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

    def find_refusal(self, head: Request) -> tuple[int, str] | None:
        """Why the gateway reads no more of a request."""
        return self._check_head(head)

    def receive_request(self, request: Request) -> None:
        """Handle the request, or queue it."""
        self._queue(request)

    def refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, after those that did, and close."""
        self._queue(_Refusal(status, message))

    def _queue(self, item: Request | _Refusal) -> None:
        self._waiting.append(item)
        if self._task is None:
            self._task = self._loop.create_task(self._handle_requests())
        elif len(self._waiting) >= _MOST_WAITING and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    async def _handle_requests(self) -> None:
        try:
            while self._waiting and not self._transport.is_closing():
                item = self._waiting.popleft()
                if isinstance(item, _Refusal):
                    self._send_refusal(item)
                    return
                await self._handle(item)
                self._read_on()
        finally:
            self._task = self._current = None

    async def _handle(self, request: Request) -> None:
        self._current = request
        self.reply_started = False
        try:
            await self._handler(request, self)
        except Exception:  # ours: whoever waits must not wait forever
            traceback.print_exc(file=sys.stderr)
            if not self.reply_started:
                self.send_reply(500, [_JSON], build_error_body("the gateway failed; its log says why"))
            self._transport.close()
        if not request.keep_alive:
            self._transport.close()

    def _read_on(self) -> None:
        if self._reading_paused and len(self._waiting) < _MOST_WAITING and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def _send_refusal(self, refusal: _Refusal) -> None:
        body = build_error_body(refusal.message)
        head = response_head(refusal.status, [_JSON, (b"content-length", b"%d" % len(body))], False)
        self._transport.write(head + body)
        self.linger()

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
