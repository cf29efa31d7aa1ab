"""Which headers a proxy forwards."""

from __future__ import annotations

from evalmake.http_protocol.messages import Headers, find_header

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

NOT_FORWARDED = HOP_BY_HOP | {b"content-length"}
"""The gateway writes the length itself."""


def end_to_end_headers(headers: Headers, dropped: frozenset[bytes] = NOT_FORWARDED) -> Headers:
    """The headers to forward: all but `dropped` and those that `Connection` names."""
    if named := find_header(headers, b"connection"):
        dropped = dropped | {name.strip().lower() for name in named.split(b",")}
    return [header for header in headers if header[0].lower() not in dropped]
