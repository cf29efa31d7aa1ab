"""Parameters of a request, and its headers: added, dropped, renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalmake.gateway.interceptors.interceptor import Body, Interceptor
from evalmake.gateway.proxy.http_messages import Headers

_CONTENT = ("messages", "prompt", "input")


class Parameters(Interceptor):
    """Drops and renames at every depth of the request, then adds (a map is laid over a map)."""

    asks = True

    def __init__(self, add: Mapping[str, Any], drop: Sequence[str], rename: Mapping[str, str]) -> None:
        self.add = add
        self.drop = frozenset(drop)
        self.rename = rename

    def request(self, body: Body, path: str) -> Body:
        """Change the parameters; the messages and the prompt are content and stay."""
        content: Body = {key: body[key] for key in _CONTENT if key in body}
        rest = {key: value for key, value in body.items() if key not in content}
        changed: Body = self._changed(rest)
        kept = {key: value for key, value in content.items() if key not in self.drop}
        return _laid({**kept, **changed}, self.add)

    def _changed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self.rename.get(key, key): self._changed(item) for key, item in value.items() if key not in self.drop
            }
        return [self._changed(item) for item in value] if isinstance(value, list) else value


def _laid(under: Body, over: Mapping[str, Any]) -> Body:
    laid = dict(under)
    for key, value in over.items():
        below = laid.get(key)
        both = isinstance(value, Mapping) and isinstance(below, dict)
        laid[key] = _laid(below, value) if both and below is not None else value
    return laid


class HeaderFields(Interceptor):
    """Adds headers (in place of the harness's own) and drops some."""

    def __init__(self, add: Mapping[str, str], drop: Sequence[str]) -> None:
        self.add = [(name.encode(), value.encode()) for name, value in add.items()]
        self.gone = {name.lower().encode() for name in (*drop, *add)}

    def headers(self, headers: Headers) -> Headers:
        """Change them."""
        return [h for h in headers if h[0].lower() not in self.gone] + self.add
