"""Server-sent events as model servers send them: `data:` lines with JSON (WHATWG HTML, 9.2)."""

from __future__ import annotations

import json
import re
from typing import Any

Body = dict[str, Any]

# Two ends of lines, each CRLF, CR or LF. The groups are atomic: half a CRLF must not count as an end of its own.
_EMPTY_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")


class EventSplitter:
    """Splits the pieces of a stream into events. An event is a JSON object, or bytes if it is none."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Body | bytes]:
        """The events that this piece completes."""
        data = self._rest + piece
        known = len(data) - data.endswith(b"\r")  # a last CR may be half a CRLF
        blocks, start = [], 0
        for found in _EMPTY_LINE.finditer(data, max(0, len(self._rest) - 4), known):
            blocks.append(data[start : found.start()])
            start = found.end()
        self._rest = data[start:]
        return [_parse_event(block) for block in blocks if block.strip()]

    def finish(self) -> list[Body | bytes]:
        """The last event, if its empty line is missing."""
        rest, self._rest = self._rest, b""
        return [_parse_event(rest.rstrip(b"\r\n"))] if rest.strip() else []


def _parse_event(block: bytes) -> Body | bytes:
    lines = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    data = b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    if data[:1] == b"{":
        try:
            parsed = json.loads(data)
        except (ValueError, RecursionError):
            return b"\n".join(lines)
        if isinstance(parsed, dict):
            return parsed
    return b"\n".join(lines)


def is_done_marker(event: Body | bytes) -> bool:
    """Whether this is the `[DONE]` that ends a stream in OpenAI's API."""
    return isinstance(event, bytes) and event.strip() in (b"data: [DONE]", b"data:[DONE]")


def event_to_bytes(event: Body | bytes) -> bytes:
    """An event as it is sent."""
    if isinstance(event, bytes):
        return event + b"\n\n"
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def assemble_reply(data: bytes) -> Body:
    """The reply that a whole stream adds up to, as far as the checks of replies need it."""
    splitter = EventSplitter()
    choices: dict[str, Body] = {}
    reply: Body = {}
    for event in [*splitter.feed(data), *splitter.finish()]:
        if isinstance(event, bytes):
            continue
        for key in ("usage", "error", "model", "system_fingerprint"):
            if event.get(key):
                reply[key] = event[key]
        for part in objects_in(event.get("choices")):
            _add_part(choices.setdefault(str(part.get("index", 0)), {}), part)
    return {**reply, "choices": list(choices.values())}


def has_ended(stream: bytes, parsed: Body) -> bool:
    """Whether a stream of choices came to its end. Some servers send no `[DONE]`, some no finish reasons."""
    reasons = [choice.get("finish_reason") for choice in parsed["choices"]]
    return b"[DONE]" in stream[-64:] or bool(parsed.get("error")) or (bool(reasons) and all(reasons))


def objects_in(value: object) -> list[Body]:
    """The objects of a list; none if the value is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _add_part(choice: Body, part: Body) -> None:
    """Add one event's part to a choice."""
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
    calls = [call for call in objects_in(delta.get("tool_calls")) if call.get("id")]
    if calls:
        message.setdefault("tool_calls", []).extend(calls)
