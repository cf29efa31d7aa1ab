"""The model's side: one HTTP/1.1 connection, with one request at a time on it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import httptools

from evalmake.http_protocol.messages import Headers, find_header
from evalmake.upstream.unpacking import PACKED, Unpacker

LARGEST_HEAD = 64 * 2**10
"""Bytes of a reply's status line and headers, and of the interim replies before it."""
LARGEST_REPLY = 256 * 2**20
"""Bytes of a reply or a stream, unpacked, unless an adapter's `max_reply` says otherwise."""
_MOST_FRAMING = 8  # bytes of chunk heads for each byte of a body
_LONGEST_QUEUE = 64  # pieces of a stream that wait for a slow harness
_NOT_PARSED = object()


class UpstreamError(Exception):
    """The model sent no whole reply; `reply_started` tells whether a part of it had come."""

    def __init__(self, kind: str, message: str, reply_started: bool = False) -> None:
        super().__init__(message)
        self.kind = kind  # connect | broken | timeout | too large | secret
        self.reply_started = reply_started


class UpstreamReply:
    """A reply: whole in `body`, or a stream whose pieces can be read once."""

    __slots__ = (
        "_connection",
        "_parsed",
        "_pieces",
        "_size",
        "_unpacker",
        "_waiter",
        "body",
        "done",
        "error",
        "headers",
        "on_end",
        "redacted",
        "sent_status",
        "status",
        "stream",
    )

    def __init__(self, status: int, headers: Headers, stream: bool, connection: UpstreamConnection) -> None:
        self.status = status
        self.sent_status = status
        """The server's own; `status` is that of the error, if the server says 200 and sends an error."""
        self.headers = headers
        self.stream = stream
        self.body = b""
        self.redacted = False
        """Whether a secret was removed from its body."""
        self.done = False
        self.error: UpstreamError | None = None
        self.on_end: Callable[[], None] | None = None
        """Called when a stream is over."""
        self._connection = connection
        self._parsed: Any = _NOT_PARSED
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._unpacker: Unpacker | None = None
        self._waiter: asyncio.Future[None] | None = None

    def unpack(self) -> None:
        """Unpack the body as it comes, if it is packed in a way that Python knows."""
        packed = find_header(self.headers, b"content-encoding").strip().lower()
        if packed in PACKED:
            self._unpacker = Unpacker()
            self.headers = [header for header in self.headers if header[0].lower() != b"content-encoding"]

    def check_unpacked(self) -> None:
        """Check that a packed body is whole; raises ValueError."""
        if self._unpacker is not None:
            self._unpacker.finish()

    def json(self) -> Any:
        """The JSON of a whole body, parsed once; raises ValueError if it is none."""
        if self._parsed is _NOT_PARSED:
            try:
                self._parsed = json.loads(self.body)
            except RecursionError:
                raise ValueError("the JSON is nested too deeply") from None
        return self._parsed

    def feed(self, piece: bytes, largest: int) -> None:
        """Add a piece that came. A stream stops reading while too many wait.

        Raises ValueError for what cannot be unpacked, and UpstreamError beyond `largest` bytes.
        """
        if self._unpacker is not None:
            piece = self._unpacker.feed(piece, largest - self._size)
        if not piece:
            return
        self._size += len(piece)
        if self._size > largest:
            raise too_large(largest)
        self._pieces.append(piece)
        if self.stream:
            self._wake_reader()
            if len(self._pieces) > _LONGEST_QUEUE:
                self._connection.set_paused(True)

    def finish(self, error: UpstreamError | None = None) -> None:
        """End the reply: it is whole, or no more of it will come."""
        self.done, self.error = True, error
        if not self.stream:
            self.body = b"".join(self._pieces)
            return
        self._wake_reader()
        if self.on_end is not None:
            self.on_end()

    async def next_piece(self) -> bytes | None:
        """The next piece of a stream, None at its end; raises UpstreamError where it broke."""
        while not self._pieces:
            if self.error is not None:
                raise self.error
            if self.done:
                return None
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        if len(self._pieces) == 1:
            self._connection.set_paused(False)
        return self._pieces.popleft()

    def discard(self) -> None:
        """Close the connection if the reply is not whole: nobody reads the rest."""
        if not self.done:
            self._connection.close()

    def _wake_reader(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ConnectionOwner(Protocol):
    """Who keeps connections."""

    def release(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request."""

    def forget(self, connection: UpstreamConnection) -> None:
        """Drop a connection that is closed."""


class UpstreamConnection(asyncio.Protocol):
    """One connection to a model's server."""

    def __init__(self, pool: ConnectionOwner, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.used = False
        """Whether it has carried a whole reply."""
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._reply: UpstreamReply | None = None
        self._reply_ready: asyncio.Future[UpstreamReply] | None = None
        self._headers: Headers = []
        self._length_known = True
        self._timer: asyncio.TimerHandle | None = None
        self._timeout = 0.0
        self._last_received = 0.0
        self._paused = False
        self._bodiless = False
        self._largest = LARGEST_REPLY
        self._head_size = 0
        self._size = 0
        self._framing = 0  # bytes that came since the request, less the body's

    async def send(self, data: bytes, timeout: float, bodiless: bool, largest: int) -> UpstreamReply:
        """Send a request; returns its reply when it is whole, or when a stream has begun.

        `timeout` is the longest silence in seconds. A `bodiless` reply has no body (HEAD). `largest`: its bytes.
        """
        if self.is_closing:
            raise UpstreamError("broken", "the connection was closed")
        ready: asyncio.Future[UpstreamReply] = self.loop.create_future()
        self._reply_ready = ready
        self._headers = []
        self._timeout, self._bodiless, self._largest = timeout, bodiless, largest
        self._head_size = self._framing = self._size = 0
        self._last_received = self.loop.time()
        self._timer = self.loop.call_later(timeout, self._check_timeout)
        self._transport.write(data)
        try:
            return await ready
        except asyncio.CancelledError:
            self.close()
            raise

    def set_paused(self, paused: bool) -> None:
        """Stop reading, or read on."""
        if paused != self._paused and not self._transport.is_closing():
            self._paused = paused
            self._last_received = self.loop.time()
            self._transport.pause_reading() if paused else self._transport.resume_reading()

    def close(self) -> None:
        """Close at once."""
        self._transport.abort()

    @property
    def is_closing(self) -> bool:
        """Whether it can no longer be used."""
        return self._transport.is_closing()

    # The transport calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods."""
        self._last_received = self.loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break_off(UpstreamError("broken", f"the reply is not HTTP: {error}"))
            return
        self._framing += len(data)
        if self._framing > LARGEST_HEAD + _MOST_FRAMING * self._size and self._reply_ready is not None:
            self._break_off(_head_too_large())

    def connection_lost(self, error: Exception | None) -> None:
        """End the reply: the server closed the connection, or we did."""
        self._pool.forget(self)
        reply = self._reply
        if reply is not None and not self._length_known and error is None:
            self._complete()  # a body that ends with the connection (RFC 9112, 6.3)
        else:
            reason = f": {error_text(error)}" if isinstance(error, OSError) else ""
            self._fail(UpstreamError("broken", f"the connection was closed{reason}"))

    # The parser calls these

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add one header. Trailers, behind the body, are dropped: no check has seen them."""
        if self._reply is None:
            self._headers.append((name, value))
            self._head_size += len(name) + len(value) + 4

    def on_headers_complete(self) -> None:
        """Start the reply."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        if self._reply_ready is None:  # there is no request that it could answer
            self.close()
            return
        if self._head_size > LARGEST_HEAD:
            self._break_off(_head_too_large())
            return
        content_type = find_header(self._headers, b"content-type").lower()
        stream = content_type.startswith(b"text/event-stream") and not self._bodiless
        self._length_known = any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
        self._reply = UpstreamReply(status, self._headers, stream, self)
        if not self._bodiless:
            self._reply.unpack()
        if stream and not self._reply_ready.done():
            self._reply_ready.set_result(self._reply)
        if self._bodiless:
            self._complete()
            self.close()

    def on_body(self, piece: bytes) -> None:
        """Add a piece of the body."""
        if self._reply is not None:
            self._size += len(piece)
            self._framing -= len(piece)
            try:
                self._reply.feed(piece, self._largest)
            except ValueError as error:
                self._break_off(UpstreamError("broken", str(error)))
            except UpstreamError as error:
                self._break_off(error)

    def on_message_complete(self) -> None:
        """Complete the reply, or forget the headers of a 100 Continue."""
        if self._reply is None:
            self._headers = []
        else:
            self._complete()

    def _complete(self) -> None:
        assert self._reply is not None
        try:
            self._reply.check_unpacked()
        except ValueError as error:
            self._break_off(UpstreamError("broken", str(error)))
            return
        reply, self._reply = self._reply, None
        ready, self._reply_ready = self._reply_ready, None
        self._stop_timer()
        reply.finish()
        if ready is not None and not ready.done():
            ready.set_result(reply)
        self.used = True
        self.set_paused(False)
        if self._parser.should_keep_alive() and not self._transport.is_closing():
            self._pool.release(self)
        else:
            self._transport.close()

    def _break_off(self, error: UpstreamError) -> None:
        self._fail(error)
        self._transport.abort()

    def _fail(self, error: UpstreamError) -> None:
        reply, self._reply = self._reply, None
        ready, self._reply_ready = self._reply_ready, None
        self._stop_timer()
        error.reply_started = reply is not None
        if reply is not None:
            reply.finish(error)
        if ready is not None and not ready.done():
            ready.set_exception(error)

    def _check_timeout(self) -> None:
        """Fail after a silence, unless the harness is the one that is slow.

        One timer looks again later, which costs less than to set a timer anew for each piece.
        """
        left = self._timeout - (0.0 if self._paused else self.loop.time() - self._last_received)
        if left > 0:
            self._timer = self.loop.call_later(left, self._check_timeout)
            return
        self._break_off(UpstreamError("timeout", f"nothing came for {self._timeout:g} s"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def too_large(largest: int) -> UpstreamError:
    """The error of a reply that is larger than it may be."""
    limit = f"{largest / 2**20:.4g} MiB" if largest >= 2**20 else f"{largest} bytes"
    return UpstreamError("too large", f"the reply is larger than {limit} (`max_reply` of the adapter)")


def _head_too_large() -> UpstreamError:
    return UpstreamError("too large", f"the reply's headers are larger than {LARGEST_HEAD // 1024} KiB")


def error_text(error: OSError) -> str:
    """The system's text for an error: asyncio's repeats the address. Unknown names and TLS have texts of their own."""
    if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error)
