"""HTTP/1.1 messages: a request, its headers, and the head of a response."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

Headers = list[tuple[bytes, bytes]]

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Request(NamedTuple):
    """One request as it arrived."""

    method: bytes
    target: bytes  # the path with its query
    headers: Headers
    body: bytes
    keep_alive: bool = True
    accepts_chunks: bool = True  # HTTP/1.0 clients do not understand a chunked response


def response_head(status: int, headers: Iterable[tuple[bytes, bytes]], keep_alive: bool) -> bytes:
    """A response's status line and headers, with the empty line."""
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status
    lines = [line, *[b"%b: %b\r\n" % header for header in headers]]
    if not keep_alive:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112, 7.1). An empty one would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def find_header(headers: Headers, name: bytes) -> bytes:
    """The first value of a header by its lower-case name, empty if there is none."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return b""
