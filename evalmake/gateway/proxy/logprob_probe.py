"""The probe of an endpoint's echoed log-probabilities: it must echo those of its own tokens.

The probe asks for a greedy token after a short prompt, with its log-probability. It then sends prompt and token
as a prompt to echo: at the token's place the same number must stand, and the numbers must reach to the end. Two of
at most three such tokens decide, because servers in half precision return numbers in steps, and a wrong number may
be near the right one by chance. The probe also checks where in the text the tokens are said to stand (`text_offset`).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evalmake.gateway.proxy.server_sent_events import Body, objects_in
from evalmake.gateway.proxy.text_offsets import describe_offsets
from evalmake.model_reply.token_spelling import is_spelled_by

_PROMPTS = (
    "The weather in the Pyrénées can change very",  # bytes and characters differ
    "She opened the door of the old café and began to",
    "Three of the colours in the picture are red,",
    "In the middle of the night there was a sound:",
    "Dear Anna,\n",
    "It was late when my brother and I went home from the",
)
_DECISIVE = 2
_EXACT = 0.001
_FEW_TOKENS = 6
"""A server that says of so many tokens that all of them are certain gives no log-probabilities."""
_NEAR = 0.2
"""In bfloat16 the numbers that make a probability have steps of 0.125 where they are usual."""
_REPLACED_FIELDS = frozenset(
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
class ProbeResult:
    """What a probe found: `fact` is for the record, and the reason where the endpoint is unfit."""

    fact: str
    unfit: bool = False
    known: bool = True
    """Whether it found whether the endpoint is fit."""
    final: bool = True
    """Whether the probe need not be repeated."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token that the endpoint generated."""

    text: str
    name: str
    logprob: float
    prompt_tokens: int
    """The length of the prompt before it; 0 if the endpoint does not report it."""


class _Unfit(Exception):
    """The endpoint cannot do it."""


class _Unclear(Exception):
    """The replies do not show whether it can."""


def relies_on_echo(path: str, body: Body) -> bool:
    """Whether a request relies on log-probabilities of its prompt."""
    return (
        bool(body.get("echo"))
        and body.get("logprobs") not in (None, False)
        and path.endswith("/completions")
        and not path.endswith("/chat/completions")
    )


def probe_kind(body: Body) -> str:
    """The kind of probe: some servers treat a prompt without new tokens (`max_tokens` 0) in their own way."""
    return "echo_alone" if body.get("max_tokens") == 0 else "echo"


def run_probe(address: str, body: Body) -> Generator[Body, Body, ProbeResult]:
    """Yields the probe's requests; send each one's reply. `body` is the harness's request."""
    base = {key: value for key, value in body.items() if key not in _REPLACED_FIELDS} | {"temperature": 0}
    new_tokens = 0 if body.get("max_tokens") == 0 else 1
    near: list[float] = []
    far: list[str] = []
    unclear = offsets = ""
    for prompt in _PROMPTS:
        try:
            reply = yield {**base, "prompt": prompt, "max_tokens": 1, "echo": False}
            token = _read_generated_token(reply)
            longer = prompt + token.text
            reply = yield {**base, "prompt": longer, "max_tokens": new_tokens, "echo": True}
            place, logprob = _find_echoed_logprob(reply, token, longer, new_tokens)
            offsets = offsets or _check_offsets(reply, place, prompt, longer)
        except _Unfit as unfit:
            return ProbeResult(f"the endpoint {address} {unfit}", unfit=True)
        except _Unclear as reason:
            unclear = unclear or str(reason)
            continue
        difference = abs(logprob - token.logprob) if logprob is not None else float("inf")
        if difference <= _NEAR:
            near.append(difference)
        else:
            far.append(_describe_difference(logprob, token))
        if len(near) == _DECISIVE or len(far) == _DECISIVE:
            break
    result = _decide(address, near, far, unclear)
    return replace(result, fact=f"{result.fact}; its text offsets {offsets}") if offsets and near else result


def _decide(address: str, near: list[float], far: list[str], unclear: str) -> ProbeResult:
    """The result: the majority of the tokens decides."""
    if len(near) > len(far):
        worst = max(near)
        return ProbeResult("ok" if worst <= _EXACT else f"ok, to within {worst:.2g}")
    if len(far) > len(near):
        return ProbeResult(f"the endpoint {address} {far[0]}", unfit=True)
    return ProbeResult(f"not known: {unclear or 'its tokens disagree'}", known=False)


def _describe_difference(logprob: float | None, token: _Token) -> str:
    shown = json.dumps(token.text, ensure_ascii=False)[1:-1]
    echoed = "none" if logprob is None else f"{logprob:.4g}"
    return (
        f"echoes log-probabilities that are not those of its own tokens: {echoed} and {token.logprob:.4g} for `{shown}`"
    )


def _read_generated_token(reply: Body) -> _Token:
    """The token that a reply generated, if it can be used."""
    choice = _first_choice(reply)
    text = choice.get("text")
    if not isinstance(text, str) or not text:
        raise _Unclear("it says nothing")
    names, values = _read_logprobs(choice, "`logprobs`")
    if len(names) != 1 or values[0] is None:
        raise _Unclear("it says more than one token")
    return _Token(text, names[0], values[0], _read_usage(reply, "prompt_tokens"))


def _check_offsets(reply: Body, place: int, prompt: str, longer: str) -> str:
    """What the record says of the offsets; raises _Unfit where neither they nor the tokens' texts fit the prompt."""
    choice = _first_choice(reply)
    names, _ = _read_logprobs(choice, "`logprobs` beside `echo`")
    found = describe_offsets(choice["logprobs"], place, prompt, names)
    if found is not None:
        return found
    if not _join_to(names[: place + 1], longer):
        raise _Unfit("returns text offsets that do not fit the prompt, and tokens that do not spell it")
    return "do not fit the prompt"


def _find_echoed_logprob(reply: Body, token: _Token, prompt: str, new_tokens: int) -> tuple[int, float | None]:
    """The token's place in the echoed prompt, and the log-probability there."""
    choice = _first_choice(reply)
    names, values = _read_logprobs(choice, "`logprobs` beside `echo`")
    text, generated_tokens = str(choice.get("text") or ""), _read_usage(reply, "completion_tokens")
    if not text.startswith(prompt) and len(values) <= max(new_tokens, generated_tokens):
        raise _Unfit("ignores `echo`: a reply to a request for it has nothing of the prompt")
    if text.startswith(prompt) and len(text) > len(prompt) and _join_to(names, prompt):
        raise _Unfit("leaves the generated token out of the log-probabilities that it echoes")
    before, now = token.prompt_tokens, _read_usage(reply, "prompt_tokens")
    # Where the longer prompt has another number of tokens, the token has merged with a neighbour.
    if not (before and now and now != before + 1):
        for generated in (new_tokens, generated_tokens):  # some servers generate one even if asked for none
            place = len(names) - 1 - generated
            if place > 0 and names[place] == token.name:
                return place, values[place]
    raise _Unclear("none of its own tokens comes back as one token")


def _first_choice(reply: Body) -> Body:
    choices = objects_in(reply.get("choices"))
    if not choices:
        raise _Unclear("a reply has no choices")
    return choices[0]


def _read_logprobs(choice: Body, what: str) -> tuple[list[str], list[float | None]]:
    """A choice's tokens, and the log-probability of each."""
    logprobs = choice.get("logprobs")
    if not logprobs:
        raise _Unfit(f"ignores {what}: a reply to a request for them has none")
    tokens = logprobs.get("tokens") if isinstance(logprobs, Mapping) else None
    values = logprobs.get("token_logprobs") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, list) or not isinstance(values, list):
        raise _Unfit("returns log-probabilities without `tokens` and `token_logprobs`")
    if len(tokens) != len(values):
        raise _Unfit(f"returns {len(values)} log-probabilities for {len(tokens)} tokens")
    numbers = [_to_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if len(known) >= _FEW_TOKENS and not any(known):
        raise _Unfit("returns the log-probability 0 for every token, which says nothing")
    return [str(token) for token in tokens], numbers


def _to_number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _read_usage(reply: Body, name: str) -> int:
    """A count of tokens, 0 if the reply does not report it."""
    usage = reply.get("usage")
    amount: Any = usage.get(name) if isinstance(usage, dict) else None
    return amount if isinstance(amount, int) else 0


def _join_to(names: list[str], text: str) -> bool:
    """Whether the tokens join to this text, with or without a token for its beginning."""
    return is_spelled_by(text, names) or is_spelled_by(text, names[1:])
