"""A request as the model's side gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from evalmake.gateway.proxy.http_messages import NOT_PASSED, Headers, Request, end_to_end
from evalmake.gateway.settings import GatewaySettings

_SHORTEST = 4  # characters: a shorter secret is a stand-in, and its letters are everywhere
_OURS = frozenset({b"host", b"authorization", b"accept-encoding", b"expect"})


class Fixed:
    """The headers that every request bears: the key, and what the model declares."""

    def __init__(self, settings: GatewaySettings, environ: Mapping[str, str]) -> None:
        """LookupError when a variable that holds a secret is not set."""
        if missing := [name for name in settings.secret_headers.values() if name not in environ]:
            raise LookupError(f"the variable `{missing[0]}` is not set")
        secret = {name: environ[name].strip() for name in settings.secret_headers.values()}
        values = dict(settings.headers)
        values |= {name: secret[variable] for name, variable in settings.secret_headers.items()}
        key = environ.get(settings.key_variable or "", "").strip()
        if key and not any(name.lower() == "authorization" for name in values):
            values["Authorization"] = f"Bearer {key}"
        self.headers: Headers = [(n.encode(), v.strip().encode()) for n, v in values.items()]
        secrets = [text for text in (key, *secret.values()) if len(text) >= _SHORTEST]
        self._secrets = {*secrets, *(json.dumps(text)[1:-1] for text in secrets)}
        self._bytes = [text.encode() for text in self._secrets]
        self._gone = NOT_PASSED | _OURS | {name.lower() for name, _ in self.headers}

    def without(self, headers: Headers, token: bytes) -> Headers:
        """A harness's headers less those that are ours, and any other that holds its token."""
        return [one for one in end_to_end(headers, self._gone) if token not in one[1]]

    def hide(self, text: str) -> str:
        """A text for the record: a model's server may repeat the key in an error."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def clean(self, data: bytes) -> bytes:
        """The same of a reply; it is the very one where it holds no secret."""
        for secret in self._bytes:
            if secret in data:
                data = data.replace(secret, b"***")
        return data


def head(request: Request, path: bytes, netloc: bytes, headers: Headers, size: int) -> bytes:
    """The request's line and headers; `size` bytes of body follow."""
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (request.method, path, netloc)]
    lines += [b"%b: %b\r\n" % item for item in headers]
    lines.append(b"accept-encoding: identity\r\n")
    if size or request.method in (b"POST", b"PUT", b"PATCH"):
        lines.append(b"content-length: %d\r\n" % size)
    return b"".join([*lines, b"\r\n"])
