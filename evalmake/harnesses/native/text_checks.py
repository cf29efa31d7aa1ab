"""Checks that look at the text of a reply alone, or at its calls: whether it passes, and what was found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from evalmake.harnesses.native.json_io import loads
from evalmake.harnesses.native.json_schema import fits_schema
from evalmake.harnesses.native.pattern_search import search
from evalmake.harnesses.native.record_checks import Check
from evalmake.harnesses.native.template import as_text
from evalmake.harnesses.native.time_limit import limit_time
from evalmake.model_reply.tool_calls import ToolCall

_MOST_SHOWN = 200
"""Characters of what was found that a sample keeps."""


def check_text(check: Check, text: str, question: str) -> tuple[bool, str]:
    """Whether a text passes a check, without its `not-`, and what was found."""
    match check.kind:
        case "contains":
            return _say_contained(str(check.value) in text)
        case "icontains":
            return _say_contained(str(check.value).lower() in text.lower())
        case "starts-with":
            begins = text.startswith(str(check.value).lstrip())
            return begins, "it begins so" if begins else f"it begins with {_quote(text[:40])}"
        case "contains-any" | "icontains-any" | "contains-all" | "icontains-all":
            return _find_texts(check, text)
        case "equals":
            equal = _equals(check.value, text)
            return equal, "it is the same" if equal else "it is another"
        case "regex":
            found = search(check.value, text)
            return found is not None, f"it matches {_quote(found[0])}" if found else "nothing in it matches"
        case "number":
            return _find_number(check, text)
        case "choice":
            return _find_choice(check, text, question)
    return _find_json_value(check, text)


def _say_contained(contained: bool) -> tuple[bool, str]:
    return contained, "the reply has it" if contained else "the reply does not have it"


def _find_texts(check: Check, text: str) -> tuple[bool, str]:
    folds = check.kind.startswith("i")
    within = text.lower() if folds else text
    absent = [one for one in check.value if (one.lower() if folds else one) not in within]
    if check.kind.endswith("all"):
        return not absent, f"the reply lacks {_list(absent)}" if absent else "the reply has them all"
    present = [one for one in check.value if one not in absent]
    return bool(present), f"the reply has {_list(present)}" if present else "the reply has none of them"


def _find_number(check: Check, text: str) -> tuple[bool, str]:
    from evalmake.harnesses.native.answers.number import are_equal, find_number

    answer = find_number(text)
    if answer is None:
        return False, "the reply gives no number"
    if check.limit is None:
        fits = are_equal(answer, check.value)
    else:  # as far as the decimals say: 0.3 is 0.1 from 0.2, whatever its binary form is
        fits = bool(abs(answer.value - check.value.value) <= Fraction(repr(check.limit)))
    return fits, f"the number of the reply is {float(answer.value):.12g}"


def _find_choice(check: Check, text: str, question: str) -> tuple[bool, str]:
    from evalmake.harnesses.native.answers.letter import find_chosen_option

    index = find_chosen_option(text, check.options, question)
    found = "the reply chooses no option" if index is None else f"the reply chooses {_quote(check.options[index])}"
    return bool(index == check.value), found


def _find_json_value(check: Check, text: str) -> tuple[bool, str]:
    found = _find_json(text) if check.kind == "contains-json" else _parse_json(text)
    if found is None:
        return False, "the reply has no JSON in it" if check.kind == "contains-json" else "the reply is no JSON"
    if check.value is None:
        return True, "it is JSON"
    fits = fits_schema(found[0], check.value)
    return fits, "it fits the schema" if fits else "it does not fit the schema"


def describe_calls(calls: Sequence[ToolCall]) -> str:
    """The calls of a reply, as `find({"city": "Oslo"})`."""
    said = ", ".join(f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in calls)
    return f"the reply calls {_shorten(said)}" if said else "the reply calls no tool"


def is_call(check: Check, name: str, arguments: Any) -> bool:
    """Whether a call has the name, and among its arguments those of the check."""
    wanted: Mapping[str, Any] = check.arguments or {}
    if name != check.value or (wanted and not isinstance(arguments, Mapping)):
        return False
    return all(key in arguments and is_equal(arguments[key], value) for key, value in wanted.items())


def _equals(value: object, text: str) -> bool:
    """Whether a text is a value: as JSON if that is a list or an object."""
    if not isinstance(value, list | dict):
        return text == as_text(value).strip()
    found = _parse_json(text)
    return found is not None and is_equal(found[0], value)


def is_equal(one: Any, other: Any) -> bool:
    """Whether two values of JSON are equal: 1 is 1.0, and not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(is_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _parse_json(text: str) -> tuple[Any] | None:
    """The value of a text that is JSON, in a tuple, as it may be null."""
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else (value,)


def _find_json(text: str) -> tuple[Any] | None:
    """The first object or list in a text."""
    decoder = json.JSONDecoder()
    with limit_time(1.0, "the check `contains-json`"):
        for place, character in enumerate(text):
            if character in "{[":
                try:
                    return (decoder.raw_decode(text, place)[0],)
                except (ValueError, RecursionError):
                    continue
    return None


def _list(texts: Sequence[str]) -> str:
    return _shorten(", ".join(map(_quote, texts)))


def _quote(text: str) -> str:
    return _shorten(json.dumps(text, ensure_ascii=False))


def _shorten(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
