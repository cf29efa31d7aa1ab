"""Parameters of a request, and its headers: added, dropped, renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalmake.gateway.interceptors.interceptor import Body, Interceptor
from evalmake.http_protocol.messages import Headers

_CONTENT_FIELDS = ("messages", "prompt", "input")


class RequestParameters(Interceptor):
    """Drops and renames fields at every depth of the request, then adds some, maps merged into maps."""

    rewrites_requests = True

    def __init__(self, add: Mapping[str, Any], drop: Sequence[str], rename: Mapping[str, str]) -> None:
        self.add = add
        self.drop = frozenset(drop)
        self.rename = rename

    def rewrite_request(self, body: Body, path: str) -> Body:
        """Change the parameters. Messages and prompts are content: nothing inside them changes."""
        content: Body = {key: body[key] for key in _CONTENT_FIELDS if key in body}
        parameters = {key: value for key, value in body.items() if key not in content}
        changed: Body = self._drop_and_rename(parameters)
        remaining = {key: value for key, value in content.items() if key not in self.drop}
        return _merge({**remaining, **changed}, self.add)

    def _drop_and_rename(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self.rename.get(key, key): self._drop_and_rename(item)
                for key, item in value.items()
                if key not in self.drop
            }
        return [self._drop_and_rename(item) for item in value] if isinstance(value, list) else value


def _merge(base: Body, additions: Mapping[str, Any]) -> Body:
    merged = dict(base)
    for key, value in additions.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(value, Mapping) and isinstance(old, dict) else value
    return merged


class RequestHeaders(Interceptor):
    """Adds headers, in place of the harness's of the same name, and drops some."""

    def __init__(self, add: Mapping[str, str], drop: Sequence[str]) -> None:
        self.add = [(name.encode(), value.encode()) for name, value in add.items()]
        self.dropped = {name.lower().encode() for name in (*drop, *add)}

    def rewrite_headers(self, headers: Headers) -> Headers:
        """Drop and add."""
        return [header for header in headers if header[0].lower() not in self.dropped] + self.add
