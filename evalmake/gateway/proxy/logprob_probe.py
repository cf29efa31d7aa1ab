"""The test of an endpoint's echoed log-probabilities: those of its own tokens are known.

A greedy token is asked for behind a short prompt, with its log-probability. Prompt and token are
then sent as a prompt that is to be echoed: at the token's place the same number must stand, and the
numbers must reach to the end. Two of at most three such tokens decide, as servers in half precision
tell numbers in steps, and a wrong number may be near by chance.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from evalmake.gateway.proxy.server_sent_events import Body, listed

_PROMPTS = (
    "The weather in the mountains can change very",
    "She opened the old letter and began to",
    "Three of the colours in the picture are red,",
    "In the middle of the night there was a sound:",
    "Dear Anna,\n",
    "It was late when my brother and I went home from the",
)
_ENOUGH = 2
_EXACT = 0.001
_NEAR = 0.2
"""In bfloat16 the numbers that make a probability have steps of 0.125 where they are usual."""
_REPLACED = frozenset(
    {
        "prompt",
        "suffix",
        "max_tokens",
        "temperature",
        "echo",
        "n",
        "best_of",
        "stop",
        "stream",
        "stream_options",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found: `fact` is for the record, and the reason where the endpoint is refused."""

    fact: str
    refused: bool = False
    settled: bool = True
    """Nobody need ask again."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token that the endpoint said behind a prompt of so many, 0 where it does not tell."""

    text: str
    name: str
    logprob: float
    prompt_tokens: int


class _Refused(Exception):
    """The endpoint cannot do it."""


class _Unclear(Exception):
    """The replies do not tell whether it can."""


def is_asked_for(path: str, body: Body) -> bool:
    """Whether a request takes for granted that the prompt's log-probabilities come back."""
    return (
        bool(body.get("echo"))
        and body.get("logprobs") not in (None, False)
        and path.endswith("/completions")
        and not path.endswith("/chat/completions")
    )


def kind(body: Body) -> str:
    """What of it is tested: servers treat a prompt that nothing is to follow in their own ways."""
    return "echo_alone" if body.get("max_tokens") == 0 else "echo"


def test(where: str, body: Body) -> Generator[Body, Body, Finding]:
    """The requests of the test, each to be answered with its reply; `body` is the harness's own."""
    asked = {key: value for key, value in body.items() if key not in _REPLACED} | {"temperature": 0}
    most = 0 if body.get("max_tokens") == 0 else 1
    near: list[float] = []
    far: list[str] = []
    unclear = ""
    for prompt in _PROMPTS:
        try:
            first = yield {**asked, "prompt": prompt, "max_tokens": 1, "echo": False}
            token = _said(first)
            whole = prompt + token.text
            second = yield {**asked, "prompt": whole, "max_tokens": most, "echo": True}
            logprob = _echoed(second, token, whole, most)
        except _Refused as refused:
            return Finding(f"the endpoint {where} {refused}", refused=True)
        except _Unclear as reason:
            unclear = unclear or str(reason)
            continue
        difference = abs(logprob - token.logprob) if logprob is not None else float("inf")
        if difference <= _NEAR:
            near.append(difference)
        else:
            far.append(_compared(logprob, token))
        if len(near) == _ENOUGH:
            break
        if len(far) == _ENOUGH:
            return Finding(f"the endpoint {where} {far[0]}", refused=True)
    if len(near) > len(far):
        worst = max(near)
        return Finding("ok" if worst <= _EXACT else f"ok, to within {worst:.2g}")
    if len(far) > len(near):
        return Finding(f"the endpoint {where} {far[0]}", refused=True)
    return Finding(f"not known: {unclear}" if unclear else "not known: its tokens disagree")


def _compared(logprob: float | None, token: _Token) -> str:
    shown = json.dumps(token.text, ensure_ascii=False)[1:-1]
    echoed = "none" if logprob is None else f"{logprob:.4g}"
    return (
        f"echoes log-probabilities that are not those of its own tokens: {echoed} and {token.logprob:.4g} for `{shown}`"
    )


def _said(reply: Body) -> _Token:
    """The token that a reply says, if it is one to go on with."""
    choice = _choice(reply)
    text = choice.get("text")
    if not isinstance(text, str) or not text:
        raise _Unclear("it says nothing")
    names, values = _lists(choice, "`logprobs`")
    if len(names) != 1 or values[0] is None:
        raise _Unclear("it says more than one token")
    return _Token(text, names[0], values[0], _used(reply, "prompt_tokens"))


def _echoed(reply: Body, token: _Token, prompt: str, most: int) -> float | None:
    """The log-probability at the token's place in the echoed prompt."""
    choice = _choice(reply)
    names, values = _lists(choice, "`logprobs` beside `echo`")
    text, told = str(choice.get("text") or ""), _used(reply, "completion_tokens")
    if not text.startswith(prompt) and len(values) <= max(most, told):
        raise _Refused("ignores `echo`: a reply to a request for it has nothing of the prompt")
    if text.startswith(prompt) and len(text) > len(prompt) and _is_text(names, prompt):
        raise _Refused("leaves the generated token out of the log-probabilities that it echoes")
    before, now = token.prompt_tokens, _used(reply, "prompt_tokens")
    if not (before and now and now != before + 1):
        for generated in (most, told):
            at = len(names) - 1 - generated
            if at > 0 and names[at] == token.name:
                return values[at]
    raise _Unclear("none of its own tokens comes back as one token")


def _choice(reply: Body) -> Body:
    choices = listed(reply.get("choices"))
    if not choices:
        raise _Unclear("a reply has no choices")
    return choices[0]


def _lists(choice: Body, what: str) -> tuple[list[str], list[float | None]]:
    """A choice's tokens, and the log-probability of each."""
    logprobs = choice.get("logprobs")
    if not logprobs:
        raise _Refused(f"ignores {what}: a reply to a request for them has none")
    tokens = logprobs.get("tokens") if isinstance(logprobs, Mapping) else None
    values = logprobs.get("token_logprobs") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, list) or not isinstance(values, list):
        raise _Refused("tells log-probabilities without `tokens` and `token_logprobs`")
    if len(tokens) != len(values):
        raise _Refused(f"tells {len(values)} log-probabilities of {len(tokens)} tokens")
    return [str(token) for token in tokens], [_number(value) for value in values]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _used(reply: Body, name: str) -> int:
    """A count of tokens, 0 where it is not told."""
    usage = reply.get("usage")
    amount: Any = usage.get(name) if isinstance(usage, dict) else None
    return amount if isinstance(amount, int) else 0


def _is_text(names: list[str], text: str) -> bool:
    """Whether the tokens are this text, with or without a sign for its beginning."""
    return "".join(names) == text or "".join(names[1:]) == text
