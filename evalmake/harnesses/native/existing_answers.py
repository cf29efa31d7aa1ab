"""Answers that are in the data: what cannot stand beside `answer`, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evalmake.harnesses.native.check_types import read_type

REASON = "no model is asked, as `answer` takes the replies from the data"
SENT_KEYS = ("system", "tools", "image", "audio", "examples", "fewshot", "params", "adapter", "truncated")
"""The keys of a benchmark that only a model's requests and replies have a use for."""
_OF_REPLIES = ("latency", "tokens", "tool-call")
"""The kinds of checks that look at more of a reply than its text."""


def looks_at_reply(kind: str) -> bool:
    """Whether checks of a kind look at more of a reply than its text."""
    return kind in _OF_REPLIES


def explain_check(type: str) -> str:
    """Why a check cannot look at an answer in the data."""
    return f"`{type}` looks at a model's reply, and {REASON}"


def find_checks_of_replies(checks: object) -> Iterator[str]:
    """The types of those checks of an Evalfile, however deep, that look at more than a text."""
    for given in checks if isinstance(checks, list | tuple) else ():
        if not isinstance(given, Mapping):
            continue
        if looks_at_reply(read_type(str(given.get("type")))[1]):
            yield str(given["type"])
        yield from find_checks_of_replies(given.get("value", given.get("assert")))
