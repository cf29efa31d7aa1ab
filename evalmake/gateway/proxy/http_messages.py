"""HTTP/1.1 messages: what a request is made of, and how heads are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: these belong to one connection and are never forwarded.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

NOT_PASSED = HOP_BY_HOP | {b"content-length"}
"""The length is written anew."""

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `target` is its path with the query."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    keep_alive: bool = True
    chunks: bool = True
    """The client understands a chunked reply."""


def reply_head(status: int, headers: Iterable[tuple[bytes, bytes]], keep_alive: bool) -> bytes:
    """A reply's status line and headers, with the empty line."""
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status
    lines = [line, *[b"%b: %b\r\n" % header for header in headers]]
    if not keep_alive:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def end_to_end(headers: Headers, gone: frozenset[bytes] = NOT_PASSED) -> Headers:
    """The headers that are passed on, less those in `gone` and what `Connection` names."""
    if named := header(headers, b"connection"):
        gone = gone | {name.strip().lower() for name in named.split(b",")}
    return [one for one in headers if one[0].lower() not in gone]


def header(headers: Headers, name: bytes) -> bytes:
    """The first value of a header by its lower-case name, empty if there is none."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return b""
