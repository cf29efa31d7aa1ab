"""The request as the model gets it: with the key and the model's headers, without the evaluation's token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalmake.gateway.proxy.forwarded_headers import NOT_FORWARDED, end_to_end_headers
from evalmake.gateway.settings import GatewaySettings
from evalmake.http_protocol.messages import Headers, Request
from evalmake.redaction import holds_secret, redact_header, redact_secret

_MARK = b"***"
_REPLACED = frozenset({b"host", b"authorization", b"accept-encoding", b"expect"})


class RequestRewrite:
    """The headers that every request to the model carries, and the secrets that no text may show."""

    def __init__(self, settings: GatewaySettings, environ: Mapping[str, str]) -> None:
        """Raises LookupError when a variable that holds a secret is not set."""
        if missing := [name for name in settings.secret_headers.values() if name not in environ]:
            raise LookupError(f"the variable `{missing[0]}` is not set")
        secrets = {name: environ[name].strip() for name in settings.secret_headers.values()}
        values = dict(settings.headers)
        values |= {name: secrets[variable] for name, variable in settings.secret_headers.items()}
        key = environ.get(settings.key_variable or "", "").strip()
        if key and not any(name.lower() == "authorization" for name in values):
            values["Authorization"] = f"Bearer {key}"
        self.headers: Headers = [(n.encode(), v.strip().encode()) for n, v in values.items()]
        self.secrets = sorted({text for text in (key, *secrets.values()) if text}, key=len, reverse=True)
        self._dropped = NOT_FORWARDED | _REPLACED | {name.lower() for name, _ in self.headers}

    def forwarded_headers(self, headers: Headers, token: bytes) -> Headers:
        """A harness's headers without those that the gateway sets, and any that holds the token."""
        return [header for header in end_to_end_headers(headers, self._dropped) if token not in header[1]]

    def redact(self, text: str) -> str:
        """A text without secrets, for the record: a model's server may repeat the key in an error."""
        data = text.encode("utf-8", "surrogatepass")
        return self.redact_bytes(data).decode("utf-8", "surrogatepass")

    def redact_bytes(self, data: bytes) -> bytes:
        """The same for a reply; returns the same object if it holds no secret."""
        for secret in self.secrets:
            data = redact_secret(data, secret, _MARK)
        return data

    def redact_headers(self, headers: Headers) -> Headers:
        """A reply's headers without secrets; one that has a secret for a name is dropped."""
        texts = b"\n".join([text for header in headers for text in header])
        for secret in self.secrets:
            if holds_secret(texts, secret):
                headers = [
                    (name, redact_header(value, secret, _MARK))
                    for name, value in headers
                    if redact_header(name, secret, _MARK) == name
                ]
        return headers


def request_head(request: Request, path: bytes, netloc: bytes, headers: Headers, size: int) -> bytes:
    """The request's line and headers; `size` bytes of body follow."""
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (request.method, path, netloc)]
    lines += [b"%b: %b\r\n" % item for item in headers]
    lines.append(b"accept-encoding: identity\r\n")
    if size or request.method == b"POST":
        lines.append(b"content-length: %d\r\n" % size)
    return b"".join([*lines, b"\r\n"])


def body_to_bytes(body: dict[str, Any]) -> bytes:
    """A request's JSON as it is sent."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
