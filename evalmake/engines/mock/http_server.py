"""HTTP/1.1 over asyncio: keep-alive, pipelining, chunked bodies; one write for each response."""

from __future__ import annotations

import asyncio
from collections import deque
from http import HTTPStatus
from typing import cast

import httptools

from evalmake.engines.mock.request_fields import ApiError
from evalmake.engines.mock.service import Request, Response, Service

LARGEST_BODY = 50 * 2**20

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_TOO_LARGE = f"the body is larger than {LARGEST_BODY} bytes"


class Connection(asyncio.Protocol):
    """One client's connection. Responses leave in the order of their requests.

    TCP_NODELAY needs no setting here: both loops set it on every TCP connection.
    """

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, Response]] = deque()
        self._timer: asyncio.TimerHandle | None = None
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
        """Forget what was still to be answered."""
        if self._timer is not None:
            self._timer.cancel()
        for request, _ in self._waiting:
            self._service.left(request)
        self._waiting.clear()

    # The parser's calls

    def on_message_begin(self) -> None:
        """A new request."""
        self._url = b""
        self._authorization = b""
        self._expects = False
        self._chunks: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """The request's target, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        name = name.lower()
        if name == b"authorization":
            self._authorization = value
        elif name == b"expect":
            self._expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Ask for the body of a client that waits for that."""
        if self._expects and not self._waiting:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, chunk: bytes) -> None:
        """Keep a part of the body, unless there is too much of it."""
        self._size += len(chunk)
        if self._size <= LARGEST_BODY:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def on_message_complete(self) -> None:
        """Answer the request, or line the answer up."""
        if self._size > LARGEST_BODY:
            self._refuse(413, _TOO_LARGE)
            return
        request = Request(
            self._parser.get_method().decode("latin-1"),
            self._url.partition(b"?")[0].decode("latin-1"),
            self._authorization.decode("latin-1"),
            b"".join(self._chunks),
            self._loop.time(),
            self._parser.should_keep_alive(),
            self._parser.get_http_version() != "1.0",
        )
        self._waiting.append((request, self._service.handle(request)))
        if len(self._waiting) == 1:
            self._next()

    # Answering: `_waiting[0]` is the response that is being waited for or sent

    def _next(self) -> None:
        """Send what can be sent now; wait for the rest."""
        while self._waiting and not self._transport.is_closing():
            request, response = self._waiting[0]
            if response.hangs:
                return
            if response.delay:
                self._timer = self._loop.call_later(response.delay, self._after_delay)
                return
            self._send(request, response)

    def _after_delay(self) -> None:
        self._send(*self._waiting[0])
        self._next()

    def _send(self, request: Request, response: Response) -> None:
        self._waiting.popleft()
        self._transport.write(render(response, request.keep_alive, request.chunks))
        self._service.left(request)
        if response.breaks or not request.keep_alive:
            self._transport.close()

    def _refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, and close."""
        response = self._service.refusal(ApiError(status, message))
        self._transport.write(render(response, False, True))
        self._transport.close()


def render(response: Response, keep_alive: bool, chunked: bool) -> bytes:
    """A response's bytes; one that `breaks` lacks its end, a stream without `chunked` is one piece."""
    head = [_STATUS_LINES.get(response.status) or b"HTTP/1.1 %d Status\r\n" % response.status]
    head += [b"content-type: %b\r\n" % response.kind]
    head += [b"%b: %b\r\n" % header for header in response.headers]
    if not keep_alive:
        head.append(b"connection: close\r\n")
    if response.parts is not None and chunked:
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in response.parts)
        body += b"" if response.breaks else b"0\r\n\r\n"
        head.append(b"transfer-encoding: chunked\r\n\r\n")
    else:
        body = response.body if response.parts is None else b"".join(response.parts)
        length = len(body) * 2 if response.breaks else len(body)
        head.append(b"content-length: %d\r\n\r\n" % length)
    return b"".join(head) + body
