"""The address of a model's server, as people write it: a base URL, or the URL of one of its routes, with a query."""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit

_ROUTES = ("/chat/completions", "/completions", "/responses", "/embeddings")
_VERSION = re.compile(r"/v\d+\w*(/|$)")


class ServerUrl(NamedTuple):
    """A server's address. `base` ends in `/v1`, or in what stands for it there."""

    secure: bool
    host: str
    port: int
    netloc: str
    base: str
    query: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL; a route at its end is left out, as requests bring their own."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        base = parts.path.rstrip("/")
        route = next((route for route in _ROUTES if base.endswith(route)), "")
        netloc = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if secure else 80)
        return cls(secure, parts.hostname or "", port, netloc, base.removesuffix(route), parts.query)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.secure else 'http'}://{self.netloc}"

    def target(self, rest: bytes) -> bytes:
        """The server's path and query for what follows the session's prefix: `/v1/models`, `/tokenize`.

        Paths outside `/v1` are next to it, not below. Every request carries the address's own query.
        """
        path, _, query = rest.partition(b"?")
        queries = b"&".join(filter(None, (self.query.encode(), query)))
        return self._path(path.decode("latin-1")).encode("latin-1", "replace") + (b"?" + queries if queries else b"")

    def url_of(self, path: str) -> str:
        """The URL of a request's path, without a query, for messages."""
        return self.origin + self._path(path)

    def hint_at_version(self) -> str:
        """What to write where the server does not know the path, because its address has no `/v1`; else empty."""
        if self.query or _VERSION.search(self.base):
            return ""
        return f'the endpoint has no `/v1`: most servers want endpoint = "{self.origin}{self.base}/v1"'

    def _path(self, path: str) -> str:
        if path == "/v1" or path.startswith("/v1/"):
            return self.base + path[3:]
        return self.base.removesuffix("/v1") + (path or "/")
