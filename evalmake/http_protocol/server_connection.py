"""A client's connection to a server: reads requests, with keep-alive, pipelining and chunked bodies."""

from __future__ import annotations

import asyncio
from typing import ClassVar, cast

import httptools

from evalmake.http_protocol.messages import Headers, Request


class ServerConnection(asyncio.Protocol):
    """Base of a server's connections: a subclass answers each request that `receive_request` gets.

    TCP_NODELAY needs no setting here: both loops set it on every TCP connection.
    """

    largest_body: ClassVar[int]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport

    # What a server says for itself

    def receive_request(self, request: Request) -> None:
        """Answer the request, or queue it behind those that came before."""
        raise NotImplementedError

    def refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, and close."""
        raise NotImplementedError

    def has_unanswered(self) -> bool:
        """Whether an earlier request of this connection still waits for its answer."""
        raise NotImplementedError

    # The transport calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as an ordinary request, which RFC 9110 (7.8) allows
        except httptools.HttpParserError as error:
            self.refuse(400, f"not HTTP: {error}")

    # The parser calls these

    def on_message_begin(self) -> None:
        """Start a new request."""
        self._url = b""
        self._headers: Headers = []
        self._expects_continue = False
        self._chunks: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Add a part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add one header."""
        self._headers.append((name, value))
        if name.lower() == b"expect":
            self._expects_continue = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Ask for the body of a client that waits for that, unless an earlier answer must go first."""
        if self._expects_continue and not self.has_unanswered():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, chunk: bytes) -> None:
        """Add a part of the body. One that is too large is counted but not held in memory."""
        self._size += len(chunk)
        if self._size <= self.largest_body:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def on_message_complete(self) -> None:
        """Pass the request on."""
        if self._size > self.largest_body:
            self.refuse(413, f"the body is larger than {self.largest_body} bytes")
            return
        parser = self._parser
        self.receive_request(
            Request(
                parser.get_method(),
                self._url,
                self._headers,
                b"".join(self._chunks),
                parser.should_keep_alive(),
                parser.get_http_version() != "1.0",
            )
        )
