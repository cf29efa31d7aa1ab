"""Pieces of replies that chat and text completions share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from evalmake.engines.mock.request_fields import Body, Sampling
from evalmake.engines.mock.tokens import pieces

Events = list[Body]


@dataclass(frozen=True, slots=True)
class Said:
    """One choice's new text, cut where the request says, and why it ended."""

    tokens: list[str]
    finish: str

    @property
    def text(self) -> str:
        """The new text."""
        return "".join(self.tokens)


def cut(text: str, sampling: Sampling) -> Said:
    """Cut a text at the first stop text and at the limit of tokens."""
    ends = [place for stop in sampling.stop if (place := text.find(stop)) >= 0]
    tokens = pieces(text[: min(ends)] if ends else text)
    if sampling.most is not None and len(tokens) > sampling.most:
        return Said(tokens[: sampling.most], "length")
    return Said(tokens, "stop")


def usage(prompt: int, completion: int) -> Body:
    """Counts of tokens."""
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def envelope(kind: str, prefix: str, model: str, serial: int) -> Body:
    """The outer fields of a reply; `serial` makes its id unlike the others of this server."""
    return {
        "id": f"{prefix}-{serial:x}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def events(head: Body, choices: Iterable[Any], spent: Body, sampling: Sampling) -> Events:
    """A stream: one event for each choice's part, and the usage in a last one where asked for."""
    asked = {"usage": None} if sampling.stream_usage else {}
    parts = [{**head, "choices": [choice], **asked} for choice in choices]
    last = [{**head, "choices": [], "usage": spent}] if sampling.stream_usage else []
    return list(chain(parts, last))
