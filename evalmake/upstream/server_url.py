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

        The few paths outside `/v1` are next to it, not below. Every request carries the address's own query.
        """
        base = self.base.encode()
        if rest == b"/v1" or rest.startswith((b"/v1/", b"/v1?")):
            target = base + rest[3:]
        else:
            target = base.removesuffix(b"/v1") + (rest or b"/")
        if not self.query:
            return target
        return target + (b"&" if b"?" in target else b"?") + self.query.encode()

    def url_of(self, path: str) -> str:
        """The URL of a request's path, without a query, for messages."""
        return self.origin + self._replace(query="").target(path.encode()).decode("utf-8", "replace")

    def hint_at_version(self) -> str:
        """What to write where the server does not know the path, because its address has no `/v1`; else empty."""
        if self.query or _VERSION.search(self.base):
            return ""
        return f'the endpoint has no `/v1`: most servers want endpoint = "{self.origin}{self.base}/v1"'
