"""Whether a harness sends the sampling parameters and the seed that its evaluation declares.

A task's own code may overrule them, and then three seeds ask the same thing three times. The request counts as the
harness sent it: what an adapter changes afterwards is declared, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ALIASES = {
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens"),
    "max_completion_tokens": ("max_completion_tokens", "max_tokens", "max_output_tokens"),
}
"""Parameter -> the fields that may carry it."""
_NOT_COMPARED = ("model", "stream", "stream_options")
_SENT_BY_SOME = ("seed",)
"""Harnesses that cannot send these leave them out: that is no contradiction."""
_NEUTRAL: Mapping[str, tuple[float, ...]] = {
    "temperature": (0, 1),
    "top_p": (1,),
    "top_k": (-1, 0),
    "min_p": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
}
"""Sampling parameter -> the values that choose nothing of their own: a greedy, or an unchanged distribution."""
_NEARLY = 1e-3  # as some programs write 0.9999999 for 1
_LONGEST_SHOWN = 60
_SEEDS = 2**31
_MOST_REPETITIONS = 100_000


def find_undeclared_values(
    declared: Mapping[str, Any], body: Mapping[str, Any], seed_step: int = 0
) -> Iterator[tuple[str, str]]:
    """The parameters that a request carries with another value than the declared one, and that value as JSON.

    The value of a parameter that is declared and not sent is `unset`. With `seed_step`, the seed of a repetition is
    the declared one plus a multiple of it.
    """
    for name, value in declared.items():
        if name in _NOT_COMPARED:
            continue
        field = next((field for field in ALIASES.get(name, (name,)) if body.get(field) is not None), None)
        if field is None:
            if value is not None and name not in _SENT_BY_SOME:
                yield name, "unset"
        elif not _is_declared(name, body[field], value, seed_step):
            yield name, json.dumps(body[field], ensure_ascii=False)[:_LONGEST_SHOWN]


def find_added_values(declared: Iterable[str], body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The sampling parameters that a request carries and nothing declares, unless their value changes nothing."""
    for name in _NEUTRAL.keys() - set(declared):
        value = body.get(name)
        if not isinstance(value, int | float) or any(abs(value - one) <= _NEARLY for one in _NEUTRAL[name]):
            continue
        yield name, json.dumps(value)


def _is_declared(name: str, sent: Any, declared: Any, seed_step: int) -> bool:
    if name == "stop":
        return bool(_to_list(sent) == _to_list(declared))
    return bool(sent == declared) or (name == "seed" and is_repetition_seed(sent, declared, seed_step))


def is_repetition_seed(sent: Any, seed: Any, seed_step: int) -> bool:
    """Whether a harness that adds `seed_step` for each repetition sent the seed of one after the first."""
    if not (seed_step and isinstance(sent, int) and isinstance(seed, int)):
        return False
    inverse = int(pow(seed_step, -1, _SEEDS))  # the step is odd
    return 0 < (sent - seed) * inverse % _SEEDS < _MOST_REPETITIONS


def _to_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value
