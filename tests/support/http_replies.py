"""Replies of a model's server, as bytes for its script: whole, in chunks, streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.scripted_upstream import ReceivedRequest, Script, Step


def http_reply(body: object, status: int = 200, **headers: object) -> bytes:
    """A reply with its length; what is not bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"content_type": "application/json", **headers, "content_length": len(data)}
    return _head(status, kind) + data


def chunked_reply(*pieces: bytes, kind: str = "text/event-stream", end: bool = True) -> list[bytes]:
    """A reply in chunks, each written on its own; without its `end` it is not whole."""
    head = _head(200, {"content_type": kind, "transfer_encoding": "chunked"})
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
    return [head, *chunks, *([b"0\r\n\r\n"] if end else [])]


def _head(status: int, headers: dict[str, object]) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode()


def chat_completion(content: object, finish: str | None = "stop", **more: object) -> dict[str, Any]:
    """A chat completion."""
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    spent = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": spent}


def chat_event(content: str | None = None, finish: str | None = None, index: int = 0) -> bytes:
    """One event of a streamed chat completion."""
    delta = {} if content is None else {"content": content}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def numbered_replies(texts: Callable[[int], str] = "sample {}".format) -> Script:
    """A script with another text in each reply, `n` choices, and log-probabilities."""
    count = iter(range(10**9))

    def script(seen: ReceivedRequest) -> list[Step]:
        body = chat_completion(texts(next(count)))
        choice = {**body["choices"][0], "logprobs": {"content": [{"logprob": -0.1}]}}
        number = json.loads(seen.body or b"{}").get("n") or 1
        return [http_reply({**body, "choices": [choice] * number})]

    return script
