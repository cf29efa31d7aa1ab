"""Server-sent events as model servers send them: `data:` lines with JSON (WHATWG HTML, 9.2).

A stream may be long, and so may one event of it. Whatever is done here takes time in proportion to the bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

Body = dict[str, Any]

_MOST_CHOICES = 4096
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
# Two ends of lines, each CRLF, CR or LF. The groups are atomic: half a CRLF must not count as an end of its own.
_EMPTY_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")


class EventSplitter:
    """Splits the pieces of a stream into events. An event is a JSON object, or bytes if it is none."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[Body | bytes]:
        """The events that this piece completes."""
        searched = max(0, len(self._rest) - 4)
        self._rest += piece
        known = len(self._rest) - self._rest.endswith(b"\r")  # a last CR may be half a CRLF
        blocks, start = [], 0
        for begin, end in [found.span() for found in _EMPTY_LINE.finditer(self._rest, searched, known)]:
            blocks.append(bytes(self._rest[start:begin]))
            start = end
        del self._rest[:start]
        return [_parse_event(block) for block in blocks if block.strip()]

    def finish(self) -> list[Body | bytes]:
        """The last event, if its empty line is missing."""
        rest, self._rest = bytes(self._rest), bytearray()
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


class ReplyAssembler:
    """The reply that a stream adds up to, as far as the checks of replies need it; grows with each piece."""

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._reply: Body = {}
        self._choices: dict[str, _ChoiceParts] = {}

    def feed(self, piece: bytes) -> list[Body]:
        """Add a piece; returns the events that it completes. Raises ValueError where there are too many choices."""
        return self._add(self._splitter.feed(piece))

    def finish(self) -> Body:
        """The reply."""
        self._add(self._splitter.finish())
        return {**self._reply, "choices": [choice.join() for choice in self._choices.values()]}

    def _add(self, events: Iterable[Body | bytes]) -> list[Body]:
        objects = [event for event in events if not isinstance(event, bytes)]
        for event in objects:
            for key in ("usage", "error", "model", "system_fingerprint"):
                if event.get(key):
                    self._reply[key] = event[key]
            for part in objects_in(event.get("choices")):
                self._choices.setdefault(str(part.get("index", 0)), _ChoiceParts()).add(part)
        if len(self._choices) > _MOST_CHOICES:
            raise ValueError(f"the stream has more than {_MOST_CHOICES} choices")
        return objects


def assemble_reply(data: bytes) -> Body:
    """The reply that a whole stream, or its beginning, adds up to."""
    assembler = ReplyAssembler()
    assembler.feed(data)
    return assembler.finish()


def has_ended(stream: bytes, parsed: Body) -> bool:
    """Whether a stream of choices came to its end. Some servers send no `[DONE]`, some no finish reasons."""
    reasons = [choice.get("finish_reason") for choice in parsed["choices"]]
    return b"[DONE]" in stream[-64:] or bool(parsed.get("error")) or (bool(reasons) and all(reasons))


def objects_in(value: object) -> list[Body]:
    """The objects of a list; none if the value is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


class _ChoiceParts:
    """One choice's parts. Texts are joined once, at the end: to add each to a string would copy that every time."""

    def __init__(self) -> None:
        self._choice: Body = {}
        self._message: Body | None = None
        self._texts: dict[str, list[str]] = {}

    def add(self, part: Body) -> None:
        """Add one event's part."""
        if part.get("finish_reason") is not None:
            self._choice["finish_reason"] = part["finish_reason"]
        logprobs = part.get("logprobs")
        if isinstance(logprobs, dict) and any(logprobs.values()):
            self._choice["logprobs"] = logprobs
        delta = part.get("delta")
        if isinstance(delta, dict):
            self._add_delta(delta)
        else:
            self._texts.setdefault("text", []).append(str(part.get("text") or ""))

    def _add_delta(self, delta: Body) -> None:
        if self._message is None:
            self._message = self._choice["message"] = {"content": None}
        for key in _TEXTS:
            if isinstance(delta.get(key), str):
                self._texts.setdefault(key, []).append(delta[key])
        calls = [call for call in objects_in(delta.get("tool_calls")) if call.get("id")]
        if calls:
            self._message.setdefault("tool_calls", []).extend(calls)

    def join(self) -> Body:
        """The choice."""
        for key, texts in self._texts.items():
            target = self._choice if key == "text" or self._message is None else self._message
            target[key] = "".join(texts)
        return self._choice
