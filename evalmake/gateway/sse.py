"""Server-sent events as model servers send them: `data:` lines with JSON (WHATWG HTML, 9.2)."""

from __future__ import annotations

import json
from typing import Any

Body = dict[str, Any]


class Splitter:
    """Pieces of a stream to whole events' data; what is no JSON object passes as bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Body | bytes]:
        """The events that are whole now."""
        data = (self._rest + piece).replace(b"\r\n", b"\n")
        if data.endswith(b"\r"):
            self._rest, data = b"\r", data[:-1]
        else:
            self._rest = b""
        *blocks, last = data.split(b"\n\n")
        self._rest = last + self._rest
        return [_event(block) for block in blocks if block.strip()]

    def end(self) -> list[Body | bytes]:
        """An event that lacks its empty line."""
        rest, self._rest = self._rest, b""
        return [_event(rest)] if rest.strip() else []


def _event(block: bytes) -> Body | bytes:
    lines = block.split(b"\n")
    data = b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    if data[:1] == b"{":
        try:
            found = json.loads(data)
        except ValueError:
            return block
        if isinstance(found, dict):
            return found
    return block


def written(event: Body | bytes) -> bytes:
    """An event's bytes."""
    if isinstance(event, bytes):
        return event + b"\n\n"
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def assembled(data: bytes) -> Body:
    """The reply that a stream amounts to: enough to tell whether it is whole, and what it used."""
    splitter = Splitter()
    choices: dict[object, Body] = {}
    whole: Body = {}
    for event in [*splitter.feed(data), *splitter.end()]:
        if isinstance(event, bytes):
            continue
        for key in ("usage", "error"):
            if event.get(key):
                whole[key] = event[key]
        for part in event.get("choices") or ():
            if isinstance(part, dict):
                _add(choices.setdefault(part.get("index", 0), {}), part)
    return {**whole, "choices": list(choices.values())}


def _add(choice: Body, part: Body) -> None:
    if part.get("finish_reason") is not None:
        choice["finish_reason"] = part["finish_reason"]
    delta = part.get("delta")
    if not isinstance(delta, dict):
        choice["text"] = choice.get("text", "") + str(part.get("text") or "")
        return
    message = choice.setdefault("message", {"content": None})
    for key in ("content", "reasoning_content", "reasoning"):
        if isinstance(delta.get(key), str):
            message[key] = (message.get(key) or "") + delta[key]
    if delta.get("tool_calls"):
        calls = [call for call in delta["tool_calls"] if isinstance(call, dict)]
        message.setdefault("tool_calls", []).extend(c for c in calls if c.get("id"))
