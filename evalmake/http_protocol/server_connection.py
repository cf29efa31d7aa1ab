"""A client's connection to a server: reads requests, with keep-alive, pipelining and chunked bodies.

A stranger may be on the other side. So a head and what frames a body have limits, silence ends a connection, and
nothing of a connection is kept once it is closed.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, cast

import httptools

from evalmake.http_protocol.messages import Headers, Request

LARGEST_HEAD = 16 * 2**10
"""Bytes of a request's line and headers."""
HEAD_TIMEOUT = 30.0
"""Seconds for a whole head, and for the first one of a connection."""
BODY_TIMEOUT = 60.0
"""Seconds of silence within a body."""
IDLE_TIMEOUT = 600.0
"""Seconds between two requests."""
_LINGER = 2.0
"""Seconds that a refused client has to read why: to close at once, with bytes unread, would discard the answer."""
_MOST_FRAMING = 8  # bytes of chunk heads for each byte of a body


class ServerConnection(asyncio.Protocol):
    """Base of a server's connections: a subclass answers each request that `receive_request` gets.

    TCP_NODELAY needs no setting here: both loops set it on every TCP connection.
    """

    largest_body: ClassVar[int]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._is_known = False
        """Whether a request of this connection was received."""
        self._head: Request | None = None
        self._head_size = self._received = self._size = 0
        self._in_head = self._in_body = False
        self._completes = False
        """Whether the bytes that came last completed a request."""
        self._last_progress = loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._forget_message()

    # What a server says for itself

    def receive_request(self, request: Request) -> None:
        """Answer the request, or queue it behind those that came before."""
        raise NotImplementedError

    def find_refusal(self, head: Request) -> tuple[int, str] | None:
        """Why a request is refused before its body is read, as a status and a message; None if it is not."""
        return None

    def refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, and `linger`. Nothing more is read."""
        raise NotImplementedError

    def has_unanswered(self) -> bool:
        """Whether an earlier request of this connection still waits for its answer."""
        raise NotImplementedError

    # The transport calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and start to look for silence."""
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._loop.call_later(HEAD_TIMEOUT, self._check_silence)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods."""
        if self._parser is None:
            return
        if not self._in_head:  # a head has a limit as a whole, however slowly it comes
            self._last_progress = self._loop.time()
        self._completes = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as an ordinary request, which RFC 9110 (7.8) allows
        except httptools.HttpParserError as error:
            self._refuse(400, f"not HTTP: {error}")
            return
        if not self._completes:  # else a part of the bytes was an earlier request's
            self._received += len(data)
        if self._in_head and self._received > LARGEST_HEAD:
            self._refuse_head()
        elif self._in_body and self._received - self._size > LARGEST_HEAD + _MOST_FRAMING * self._size:
            self._refuse(400, "more chunk heads and trailers than body")

    def connection_lost(self, error: Exception | None) -> None:
        """Forget all: the parser refers to this object, and would keep its bytes until the garbage collector comes."""
        self._stop_reading()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The parser calls these

    def on_message_begin(self) -> None:
        """Start a new request; the one before it is forgotten already."""
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        """Add a part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add one header. Trailers, behind the body, are dropped: nobody has checked them."""
        if not self._in_head:
            return
        self._headers.append((name, value))
        self._head_size += len(name) + len(value) + 4
        if name.lower() == b"expect":
            self._expects_continue = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Check the head. Ask for the body of a client that waits for that, unless an earlier answer must go first."""
        if self._parser is None:
            return
        self._in_head, self._in_body = False, True
        if self._head_size + len(self._url) > LARGEST_HEAD:
            self._refuse_head()
            return
        self._head = Request(
            self._parser.get_method(),
            self._url,
            self._headers,
            b"",
            self._parser.should_keep_alive(),
            self._parser.get_http_version() != "1.0",
        )
        if refusal := self.find_refusal(self._head):
            self._refuse(*refusal)
        elif self._expects_continue and not self.has_unanswered():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, chunk: bytes) -> None:
        """Add a part of the body. One that is too large is refused at once."""
        self._size += len(chunk)
        if self._parser is None:
            return
        if self._size > self.largest_body:
            self._refuse(413, f"the body is larger than {self.largest_body} bytes")
        else:
            self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """Pass the request on."""
        if self._parser is None or self._head is None:
            return
        self._completes = True
        method, target, headers, _, keep_alive, accepts_chunks = self._head
        request = Request(method, target, headers, b"".join(self._chunks), keep_alive, accepts_chunks)
        self._forget_message()
        self._is_known = True
        self.receive_request(request)

    # The end

    def linger(self) -> None:
        """Close once the client has read what was written, or after a moment."""
        self._stop_reading()
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._loop.call_later(_LINGER, self._transport.close)
        else:
            self._transport.close()

    def _refuse_head(self) -> None:
        self._refuse(431, f"the head is larger than {LARGEST_HEAD} bytes")

    def _refuse(self, status: int, message: str) -> None:
        """Refuse once, and read nothing more."""
        if self._parser is not None:
            self._stop_reading()
            self.refuse(status, message)

    def _stop_reading(self) -> None:
        self._parser = None
        self._forget_message()

    def _forget_message(self) -> None:
        self._url = b""
        self._headers: Headers = []
        self._head = None
        self._head_size = self._received = self._size = 0
        self._expects_continue = False
        self._chunks: list[bytes] = []
        self._in_head = self._in_body = False

    def _check_silence(self) -> None:
        """Close after a silence, unless the client waits for an answer; one timer looks again later."""
        now = self._loop.time()
        if self.has_unanswered():
            self._last_progress = now
        allowed = HEAD_TIMEOUT if self._in_head or not self._is_known else IDLE_TIMEOUT
        allowed = BODY_TIMEOUT if self._in_body else allowed
        left = self._last_progress + allowed - now
        if left > 0:
            self._timer = self._loop.call_later(min(left, HEAD_TIMEOUT), self._check_silence)
        elif self._in_head or self._in_body:
            self._refuse(408, f"the request did not come within {allowed:g} s")
        else:
            self._transport.close()
