"""Server-sent events as model servers send them: `data:` lines with JSON (WHATWG HTML, 9.2)."""

from __future__ import annotations

import json
import re
from typing import Any

Body = dict[str, Any]

# Two ends of lines, each CRLF, CR or LF; atomic, as half a CRLF ends no line of its own.
_EMPTY_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")


class Splitter:
    """Pieces of a stream to whole events' data; what is no JSON object passes as bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Body | bytes]:
        """The events that are whole now."""
        data = self._rest + piece
        known = len(data) - data.endswith(b"\r")  # a last CR may be half a CRLF
        blocks, begin = [], 0
        for found in _EMPTY_LINE.finditer(data, max(0, len(self._rest) - 4), known):
            blocks.append(data[begin : found.start()])
            begin = found.end()
        self._rest = data[begin:]
        return [_event(block) for block in blocks if block.strip()]

    def end(self) -> list[Body | bytes]:
        """An event that lacks its empty line."""
        rest, self._rest = self._rest, b""
        return [_event(rest.rstrip(b"\r\n"))] if rest.strip() else []


def _event(block: bytes) -> Body | bytes:
    lines = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    data = b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    if data[:1] == b"{":
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return b"\n".join(lines)
        if isinstance(found, dict):
            return found
    return b"\n".join(lines)


def is_done(event: Body | bytes) -> bool:
    """Whether this is the `[DONE]` that ends a stream of OpenAI's."""
    return isinstance(event, bytes) and event.strip() in (b"data: [DONE]", b"data:[DONE]")


def written(event: Body | bytes) -> bytes:
    """An event's bytes."""
    if isinstance(event, bytes):
        return event + b"\n\n"
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def assembled(data: bytes) -> Body:
    """The reply that a stream amounts to: enough to tell whether it is whole and heeds its request."""
    splitter = Splitter()
    choices: dict[str, Body] = {}
    whole: Body = {}
    for event in [*splitter.feed(data), *splitter.end()]:
        if isinstance(event, bytes):
            continue
        for key in ("usage", "error", "model", "system_fingerprint"):
            if event.get(key):
                whole[key] = event[key]
        for part in listed(event.get("choices")):
            _add(choices.setdefault(str(part.get("index", 0)), {}), part)
    return {**whole, "choices": list(choices.values())}


def listed(value: object) -> list[Body]:
    """The objects of a list, if it is one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _add(choice: Body, part: Body) -> None:
    if part.get("finish_reason") is not None:
        choice["finish_reason"] = part["finish_reason"]
    logprobs = part.get("logprobs")
    if isinstance(logprobs, dict) and any(logprobs.values()):
        choice["logprobs"] = logprobs
    delta = part.get("delta")
    if not isinstance(delta, dict):
        choice["text"] = choice.get("text", "") + str(part.get("text") or "")
        return
    message = choice.setdefault("message", {"content": None})
    for key in ("content", "reasoning_content", "reasoning", "refusal"):
        if isinstance(delta.get(key), str):
            message[key] = (message.get(key) or "") + delta[key]
    calls = [call for call in listed(delta.get("tool_calls")) if call.get("id")]
    if calls:
        message.setdefault("tool_calls", []).extend(calls)
