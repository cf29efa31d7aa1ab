"""Towards the model: pooled HTTP/1.1 connections, one request at a time on each."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from evalmake.gateway.proxy.http_messages import Headers, header

_CONNECT_TIMEOUT = 15.0
_LONGEST_QUEUE = 64  # chunks of a stream that wait for a slow harness
_UNREAD = object()


class UpstreamError(Exception):
    """The model gave no whole reply; `begun` tells whether a part of it had come."""

    def __init__(self, kind: str, message: str, begun: bool = False) -> None:
        super().__init__(message)
        self.kind = kind  # connect | broken | timeout
        self.begun = begun


class Reply:
    """A reply: whole in `body`, or a stream of pieces to iterate over once."""

    __slots__ = (
        "_link",
        "_parsed",
        "_pieces",
        "_waiter",
        "body",
        "cleaned",
        "done",
        "ended",
        "error",
        "headers",
        "status",
        "stream",
    )

    def __init__(self, status: int, headers: Headers, stream: bool, link: Link) -> None:
        self.status = status
        self.headers = headers
        self.stream = stream
        self.body = b""
        self.cleaned = False
        """Whether a secret was in its body."""
        self.done = False
        self.error: UpstreamError | None = None
        self.ended: Callable[[], None] | None = None
        """Called when a stream is over."""
        self._link = link
        self._parsed: Any = _UNREAD
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def json(self) -> Any:
        """The JSON of a whole body, read once; ValueError where it is none."""
        if self._parsed is _UNREAD:
            self._parsed = json.loads(self.body)
        return self._parsed

    def feed(self, piece: bytes) -> None:
        """More has come."""
        self._pieces.append(piece)
        if self.stream:
            self._wake()
            if len(self._pieces) > _LONGEST_QUEUE:
                self._link.pause(True)

    def finish(self, error: UpstreamError | None = None) -> None:
        """All has come, or no more will."""
        self.done, self.error = True, error
        if not self.stream:
            self.body = b"".join(self._pieces)
            return
        self._wake()
        if self.ended is not None:
            self.ended()

    async def piece(self) -> bytes | None:
        """The next piece of a stream, None at its end; UpstreamError where it broke."""
        while not self._pieces:
            if self.error is not None:
                raise self.error
            if self.done:
                return None
            self._waiter = self._link.loop.create_future()
            await self._waiter
        if len(self._pieces) == 1:
            self._link.pause(False)
        return self._pieces.popleft()

    def drop(self) -> None:
        """The harness wants no more of a stream."""
        if not self.done:
            self._link.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.used = False
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._reply: Reply | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._headers: Headers = []
        self._framed = True
        self._timer: asyncio.TimerHandle | None = None
        self._timeout = 0.0
        self._heard = 0.0
        self._paused = False
        self._bodiless = False

    async def ask(self, data: bytes, timeout: float, bodiless: bool) -> Reply:
        """Send a request; its reply when it is whole, or once a stream has begun.

        `timeout` is the longest silence in seconds; `bodiless` replies have none (HEAD).
        """
        if self.closing:
            raise UpstreamError("broken", "the connection was closed")
        answer: asyncio.Future[Reply] = self.loop.create_future()
        self._answer = answer
        self._headers = []
        self._timeout, self._bodiless = timeout, bodiless
        self._heard = self.loop.time()
        self._timer = self.loop.call_later(timeout, self._silent)
        self._transport.write(data)
        try:
            return await answer
        except asyncio.CancelledError:
            self.close()
            raise

    def pause(self, pause: bool) -> None:
        """Stop reading, or read on."""
        if pause != self._paused and not self._transport.is_closing():
            self._paused = pause
            self._heard = self.loop.time()
            self._transport.pause_reading() if pause else self._transport.resume_reading()

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.abort()

    @property
    def closing(self) -> bool:
        """Whether it can no longer be used."""
        return self._transport.is_closing()

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods."""
        self._heard = self.loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(UpstreamError("broken", f"the reply is not HTTP: {error}"))
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """The model's side closed, or we did."""
        self._pool.forget(self)
        reply = self._reply
        if reply is not None and not self._framed and error is None:
            self._complete()  # a body that ends with the connection (RFC 9112, 6.3)
        else:
            how = f": {_reason(error)}" if isinstance(error, OSError) else ""
            self._fail(UpstreamError("broken", f"the connection was closed{how}"))

    # The parser's calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The reply begins."""
        status = self._parser.get_status_code()
        if status < 200:
            return
        if self._answer is None:  # nobody asked, so it answers nothing
            self.close()
            return
        kind = header(self._headers, b"content-type").lower()
        stream = kind.startswith(b"text/event-stream") and not self._bodiless
        self._framed = any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
        self._reply = Reply(status, self._headers, stream, self)
        if stream and not self._answer.done():
            self._answer.set_result(self._reply)
        if self._bodiless:
            self._complete()
            self.close()

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._reply is not None:
            self._reply.feed(piece)

    def on_message_complete(self) -> None:
        """The reply is whole."""
        if self._reply is None:
            self._headers = []  # 100 Continue
        else:
            self._complete()

    def _complete(self) -> None:
        reply, self._reply = self._reply, None
        answer, self._answer = self._answer, None
        assert reply is not None
        self._stop_timer()
        reply.finish()
        if answer is not None and not answer.done():
            answer.set_result(reply)
        self.used = True
        self.pause(False)
        if self._parser.should_keep_alive() and not self._transport.is_closing():
            self._pool.put(self)
        else:
            self._transport.close()

    def _fail(self, error: UpstreamError) -> None:
        reply, self._reply = self._reply, None
        answer, self._answer = self._answer, None
        self._stop_timer()
        error.begun = reply is not None
        if reply is not None:
            reply.finish(error)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _silent(self) -> None:
        """Time is up, unless something came meanwhile, or the harness is the one that is slow."""
        left = self._timeout - (0.0 if self._paused else self.loop.time() - self._heard)
        if left > 0:
            self._timer = self.loop.call_later(left, self._silent)
            return
        self._fail(UpstreamError("timeout", f"nothing came for {self._timeout:g} s"))
        self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Pool:
    """The connections to one origin."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.secure else 80)
        self.base = parts.path.rstrip("/")
        self.netloc = parts.netloc.rpartition("@")[2].encode()
        self.url = url
        self.busy = 0
        """Requests that have no whole reply yet."""
        self._loop = loop
        self._idle: list[Link] = []
        self._context = ssl.create_default_context() if self.secure else None

    def path(self, rest: bytes) -> bytes:
        """The upstream's path for what follows the session's prefix: `/v1/models`, `/tokenize`.

        A base URL ends in `/v1`, or in whatever stands for it there; the rest lies at the root.
        """
        base = self.base.encode()
        if rest == b"/v1" or rest.startswith((b"/v1/", b"/v1?")):
            return base + rest[3:]
        return base.removesuffix(b"/v1") + (rest or b"/")

    async def ask(self, data: bytes, timeout: float, bodiless: bool = False) -> Reply:
        """Send a request over a connection that is free or new; UpstreamError.

        A kept connection that the model's side has closed meanwhile is no failure.
        """
        self.busy += 1
        try:
            reply = await self._ask(data, timeout, bodiless)
        except BaseException:
            self._ended()
            raise
        if reply.stream and not reply.done:
            reply.ended = self._ended
        else:
            self._ended()
        return reply

    async def _ask(self, data: bytes, timeout: float, bodiless: bool) -> Reply:
        link = await self._link(fresh=False)
        used = link.used
        try:
            return await link.ask(data, timeout, bodiless)
        except UpstreamError as error:
            if not used or error.begun or error.kind != "broken":
                raise
        return await (await self._link(fresh=True)).ask(data, timeout, bodiless)

    def _ended(self) -> None:
        self.busy -= 1

    def put(self, link: Link) -> None:
        """A connection is free again."""
        self._idle.append(link)

    def forget(self, link: Link) -> None:
        """A connection is gone."""
        if link in self._idle:
            self._idle.remove(link)

    async def _link(self, fresh: bool) -> Link:
        while self._idle and not fresh:
            link = self._idle.pop()
            if not link.closing:
                return link
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                _, link = await self._loop.create_connection(
                    lambda: Link(self, self._loop), self.host, self.port, ssl=self._context
                )
        except TimeoutError:
            raise UpstreamError("connect", f"no connection within {_CONNECT_TIMEOUT:g} s") from None
        except OSError as error:
            raise UpstreamError("connect", f"cannot connect: {_reason(error)}") from None
        return link


def _reason(error: OSError) -> str:
    """The system's own words; asyncio's repeat the address, and names not found have others."""
    if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error)
