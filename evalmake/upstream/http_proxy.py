"""The proxy that stands between the gateway and the internet: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.

The variables mean what they mean to curl. A proxy on another machine cannot reach this one by `localhost`, so such
addresses go through a proxy only if it is on this machine, too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from evalmake.http_protocol.messages import Headers
from evalmake.upstream.server_url import ServerUrl

_LONGEST_HEAD = 65536


class ProxyError(OSError):
    """The proxy does not let a connection through, or is none."""


class HttpProxy(NamedTuple):
    """A proxy that speaks HTTP."""

    host: str
    port: int
    credentials: Headers
    """The header that it asks for, if its URL has a user."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def find_proxy(server: ServerUrl, environ: Mapping[str, str], is_own: bool = False) -> HttpProxy | None:
    """The proxy for a server; None for a direct connection. Raises ProxyError for one that is not HTTP.

    With `is_own`, evalmake started the server: plain HTTP to it needs no proxy.
    """
    scheme = "https" if server.secure else "http"
    url = _read_variable(environ, f"{scheme}_proxy") or _read_variable(environ, "all_proxy")
    if not url or (is_own and not server.secure):
        return None
    if _is_excepted(server, _read_variable(environ, "no_proxy")):
        return None
    proxy = _parse_proxy(url, scheme)
    return None if _is_loopback(server.host) and not _is_loopback(proxy.host) else proxy


async def open_tunnel(proxy: HttpProxy, server: ServerUrl, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """A connection to the server through the proxy (RFC 9110, 9.3.6); raises OSError."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    lines = [f"CONNECT {host}:{server.port} HTTP/1.1".encode(), f"host: {host}:{server.port}".encode()]
    lines += [b"%b: %b" % header for header in proxy.credentials]
    connection = await _connect(proxy, loop)
    try:
        await loop.sock_sendall(connection, b"\r\n".join([*lines, b"", b""]))
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
            piece = await loop.sock_recv(connection, 4096)
            if not piece:
                raise ProxyError(f"the proxy {proxy} closed the connection")
            head += piece
        status = head.partition(b"\r\n")[0].decode("latin-1")
        if not status.partition(" ")[2].startswith("2"):
            raise ProxyError(f"the proxy {proxy} refuses: {status}")
    except BaseException:
        connection.close()
        raise
    return connection


async def _connect(proxy: HttpProxy, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Connect to the first of the proxy's addresses that answers."""
    error: OSError = ProxyError(f"the proxy {proxy} has no address")
    for family, kind, number, _, address in await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, number)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
            return connection
        except OSError as failed:
            connection.close()
            error = failed
        except BaseException:
            connection.close()
            raise
    raise error


def _read_variable(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _parse_proxy(url: str, scheme: str) -> HttpProxy:
    variable = f"{scheme.upper()}_PROXY"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme != "http":
        raise ProxyError(f"{variable} is not the address of an HTTP proxy: http://HOST:PORT")
    credentials: Headers = []
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials = [(b"proxy-authorization", b"Basic " + b64encode(pair.encode()))]
    return HttpProxy(host, port, credentials)


def _is_excepted(server: ServerUrl, exceptions: str) -> bool:
    """Whether `NO_PROXY` names the server: `*`, a domain with those below it, an address, or a network."""
    for entry in exceptions.replace(",", " ").split():
        name, _, port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if port and port != str(server.port):
            continue
        name = name.strip("[]").lstrip(".").removeprefix("*.").lower()
        host = server.host.lower()
        if name in ("*", host) or (name and host.endswith(f".{name}")):
            return True
        with suppress(ValueError):
            if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                return True
    return False


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
