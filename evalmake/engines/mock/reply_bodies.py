"""Pieces of replies that chat and text completions share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from evalmake.engines.mock.request_fields import Body, Sampling
from evalmake.engines.mock.tokens import split_tokens

Events = list[Body]


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """The new text of one choice, and its finish reason."""

    tokens: list[str]
    finish: str

    @property
    def text(self) -> str:
        """The text."""
        return "".join(self.tokens)


def cut_text(text: str, sampling: Sampling) -> GeneratedText:
    """Cut a text at the first stop text and at the limit of tokens."""
    ends = [place for stop in sampling.stop if (place := text.find(stop)) >= 0]
    tokens = split_tokens(text[: min(ends)] if ends else text)
    if sampling.max_tokens is not None and len(tokens) > sampling.max_tokens:
        return GeneratedText(tokens[: sampling.max_tokens], "length")
    return GeneratedText(tokens, "stop")


def token_usage(prompt: int, completion: int) -> Body:
    """Counts of tokens."""
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def reply_envelope(kind: str, prefix: str, model: str, serial: int) -> Body:
    """The outer fields of a reply; `serial` makes its id unique on this server."""
    return {
        "id": f"{prefix}-{serial:x}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def stream_events(envelope: Body, choices: Iterable[Any], usage: Body, sampling: Sampling) -> Events:
    """A stream: one event for each choice's part, and a last one with the usage if the request asks for it."""
    no_usage = {"usage": None} if sampling.stream_usage else {}
    parts = [{**envelope, "choices": [choice], **no_usage} for choice in choices]
    last = [{**envelope, "choices": [], "usage": usage}] if sampling.stream_usage else []
    return list(chain(parts, last))
