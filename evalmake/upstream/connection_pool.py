"""The connections to one server of a model: kept for further requests, over TLS and through a proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

from evalmake.http_protocol.messages import Headers
from evalmake.upstream.connection import (
    LARGEST_REPLY,
    UpstreamConnection,
    UpstreamError,
    UpstreamReply,
    error_text,
)
from evalmake.upstream.http_proxy import HttpProxy, ProxyError, find_proxy, open_tunnel
from evalmake.upstream.server_url import ServerUrl

_CONNECT_TIMEOUT = 15.0
MOST_IDLE = 256
"""Connections to one server that wait for a request."""
LONGEST_IDLE = 60.0
"""Seconds that a connection waits for one."""


class Network:
    """How all servers of a model are reached: the certificates to trust, and the proxies of the environment."""

    def __init__(
        self, environ: Mapping[str, str], ca: str = "", verify: bool = True, own_servers: bool = False
    ) -> None:
        """`environ` names the proxies, `ca` holds certificates in PEM form; with `own_servers`, evalmake started them.

        Raises ValueError where `ca` has no valid certificate.
        """
        self._environ = environ
        self._ca = ca
        self._verify = verify
        self._own_servers = own_servers
        if ca:
            self.tls_context()

    def tls_context(self) -> ssl.SSLContext:
        """The checks of a TLS connection."""
        context = ssl.create_default_context()
        if self._ca:
            try:
                context.load_verify_locations(cadata=self._ca)
            except ssl.SSLError as error:
                raise ValueError(f"`ca` holds no certificate in PEM form: {error_text(error)}") from None
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def find_proxy(self, server: ServerUrl) -> HttpProxy | None:
        """The proxy for a server, if there is one; raises ProxyError."""
        return find_proxy(server, self._environ, self._own_servers)


class ConnectionPool:
    """The connections to one server."""

    def __init__(self, url: str, network: Network, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.server = ServerUrl.parse(url)
        self.busy = 0
        """Requests without a whole reply."""
        self.headers: Headers = []
        """Those that the proxy of a plain request asks for."""
        self._loop = loop
        self._idle: dict[UpstreamConnection, float] = {}
        """Since when each is idle, the oldest first."""
        self._aging: asyncio.TimerHandle | None = None
        self._context = network.tls_context() if self.server.secure else None
        self._proxy: HttpProxy | None = None
        self._proxy_error = ""
        try:
            self._proxy = network.find_proxy(self.server)
        except ProxyError as error:
            self._proxy_error = str(error)
        if self._proxy and not self.server.secure:
            self.headers = self._proxy.credentials

    @property
    def netloc(self) -> bytes:
        """Host and port, as the server's address has them."""
        return self.server.netloc.encode()

    def target(self, rest: bytes) -> bytes:
        """The target of a request's line. A proxy wants whole URLs (RFC 9112, 3.2.2)."""
        target = self.server.target(rest)
        return self.server.origin.encode() + target if self._proxy and not self.server.secure else target

    async def send(
        self, data: bytes, timeout: float, bodiless: bool = False, largest: int = LARGEST_REPLY
    ) -> UpstreamReply:
        """Send a request over an idle connection or a new one; raises UpstreamError."""
        self.busy += 1
        try:
            reply = await self._send(data, timeout, bodiless, largest)
        except BaseException:
            self._count_end()
            raise
        if reply.stream and not reply.done:
            reply.on_end = self._count_end
        else:
            self._count_end()
        return reply

    async def _send(self, data: bytes, timeout: float, bodiless: bool, largest: int) -> UpstreamReply:
        """Send; once more over a new connection where the server had closed the idle one meanwhile."""
        connection = await self._connect(fresh=False)
        used = connection.used
        try:
            return await connection.send(data, timeout, bodiless, largest)
        except UpstreamError as error:
            if not used or error.reply_started or error.kind != "broken":
                raise
        return await (await self._connect(fresh=True)).send(data, timeout, bodiless, largest)

    def _count_end(self) -> None:
        self.busy -= 1

    def release(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request, as long as few are kept; the oldest ones go first."""
        self._idle[connection] = self._loop.time()
        if len(self._idle) > MOST_IDLE:
            self._close_oldest()
        if self._aging is None:
            self._aging = self._loop.call_later(LONGEST_IDLE, self._close_aged)

    def close(self) -> None:
        """Close the connections that wait for a request."""
        while self._idle:
            self._close_oldest()
        if self._aging is not None:
            self._aging.cancel()

    def forget(self, connection: UpstreamConnection) -> None:
        """Drop a connection that is closed."""
        self._idle.pop(connection, None)

    def _close_oldest(self) -> None:
        connection = next(iter(self._idle))
        del self._idle[connection]
        connection.close()

    def _close_aged(self) -> None:
        """Close what nobody used for long; look again when the next one may be that old."""
        now = self._loop.time()
        while self._idle and next(iter(self._idle.values())) <= now - LONGEST_IDLE:
            self._close_oldest()
        left = next(iter(self._idle.values())) + LONGEST_IDLE - now if self._idle else None
        self._aging = None if left is None else self._loop.call_later(left, self._close_aged)

    async def _connect(self, fresh: bool) -> UpstreamConnection:
        """An idle connection, or a new one if there is none or a `fresh` one is wanted."""
        while self._idle and not fresh:
            connection, _ = self._idle.popitem()  # the newest: the others may grow old
            if not connection.is_closing:
                return connection
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                return await self._open_connection()
        except TimeoutError:
            raise UpstreamError("connect", f"no connection within {_CONNECT_TIMEOUT:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise UpstreamError(
                "connect", f"cannot connect: {error_text(error)} (`ca` of the model names the certificates to trust)"
            ) from None
        except ProxyError as error:
            raise UpstreamError("connect", f"cannot connect: {error}") from None
        except OSError as error:
            to_proxy = f" to the proxy {self._proxy}" if self._proxy else ""
            raise UpstreamError("connect", f"cannot connect{to_proxy}: {error_text(error)}") from None

    async def _open_connection(self) -> UpstreamConnection:
        if self._proxy_error:
            raise ProxyError(self._proxy_error)
        server = self.server
        if self._proxy and server.secure:
            tunnel = await open_tunnel(self._proxy, server, self._loop)
            try:
                _, connection = await self._loop.create_connection(
                    self._new_connection, sock=tunnel, ssl=self._context, server_hostname=server.host
                )
            except BaseException:
                tunnel.close()
                raise
            return connection
        host, port = (self._proxy.host, self._proxy.port) if self._proxy else (server.host, server.port)
        _, connection = await self._loop.create_connection(self._new_connection, host, port, ssl=self._context)
        return connection

    def _new_connection(self) -> UpstreamConnection:
        return UpstreamConnection(self, self._loop)
