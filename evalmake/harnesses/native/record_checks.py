"""Reads `checks`: what must be true of a reply, as maps `{type, value, ...}` of a record or of the Evalfile.

Types have promptfoo's names where they mean the same; `not-` before a type turns it around.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalmake.harnesses.native.check_types import (
    GROUPS,
    LISTS,
    TEXTS,
    describe_shape_mistake,
    is_as_written,
    read_type,
    read_unit,
)
from evalmake.harnesses.native.errors import RecordError
from evalmake.harnesses.native.json_io import dumps
from evalmake.harnesses.native.json_schema import find_schema_mistake
from evalmake.harnesses.native.right_options import find_right_option
from evalmake.harnesses.native.task_file import CheckSource
from evalmake.harnesses.native.template import Template, as_text, blame_key, parse

MOST_CHECKS = 1000
"""In one record: each may take a second of the processor's time, or ask a judge."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a reply. `type` names its metric; `kind` is the type without `not-`.

    `value` is what it compares with, in the form that its kind needs; `inner` are those of `any` and `all`.
    """

    type: str
    kind: str
    negated: bool
    value: Any = None
    inner: tuple[Check, ...] = ()
    arguments: Any = None
    limit: float | None = None
    """The tolerance of `number`, the threshold of `judge` and `similar`, the seconds or tokens that are the most."""
    options: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict)
    """What the record or the Evalfile says, without the checks inside."""


def read_checks(sources: Sequence[CheckSource], record: Mapping[str, Any], options: Sequence[str]) -> tuple[Check, ...]:
    """The checks of a record; RecordError if one is none, or there are none."""
    with blame_key("checks"):
        given = list_given_checks(sources, record)
    count = sum(map(_count, given))
    if count > MOST_CHECKS:
        raise RecordError("checks", f"there are {count} checks; a record can have {MOST_CHECKS}")
    if not given:
        raise RecordError("checks", "there are no checks, so that no reply could fail")
    return tuple(_read_check(one, f"check {place}", options) for place, one in enumerate(given, 1))


def list_checks(checks: Sequence[Check]) -> Iterator[Check]:
    """All checks, with those inside `any` and `all`."""
    for check in checks:
        yield check
        yield from list_checks(check.inner)


def list_given_checks(sources: Sequence[CheckSource], record: Mapping[str, Any]) -> list[Any]:
    """The checks of a record as they are written, with its fields in those of the Evalfile."""
    return [one for source in sources for one in _list_given(source, record)]


def _list_given(source: CheckSource, record: Mapping[str, Any]) -> list[Any]:
    if not isinstance(source, Template):
        return [fill_fields(source, record)]
    if not source.fields:
        text = source.literal.strip()
        name = text if text in record else next(iter(record), "checks")
        cure = f'a field is written in braces: `checks = "{{{name}}}"`'
        raise RecordError("checks", f"no field of the record is in the checks '{text[:60]}'", cure)
    value = source.value(record)
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def fill_fields(value: Any, record: Mapping[str, Any]) -> Any:
    """A check of the Evalfile with the fields of a record in its texts."""
    if isinstance(value, str):
        return parse(value, "checks").value(record)
    if isinstance(value, list | tuple):
        return [fill_fields(one, record) for one in value]
    if not isinstance(value, Mapping):
        return value
    _, kind = read_type(str(value.get("type")))
    return {key: one if is_as_written(kind, key) else fill_fields(one, record) for key, one in value.items()}


def _count(given: object) -> int:
    inner = given.get("value") or given.get("assert") if isinstance(given, Mapping) else None
    is_group = isinstance(given, Mapping) and str(given.get("type")).removeprefix("not-") in GROUPS
    return 1 + (sum(map(_count, inner)) if is_group and isinstance(inner, list) else 0)


def _read_check(given: object, where: str, options: Sequence[str]) -> Check:
    """One check; RecordError names it by its place."""
    if mistake := describe_shape_mistake(given):
        raise RecordError("checks", f"{where}: {mistake.message}", mistake.help)
    assert isinstance(given, Mapping)
    negated, kind = read_type(str(given["type"]))
    type = f"not-{kind}" if negated else kind
    if kind in ("any", "all"):
        several = given.get("value", given.get("assert"))
        inner = tuple(_read_check(one, f"{where}.{place}", options) for place, one in enumerate(several or (), 1))
        return Check(type, kind, negated, inner=inner)
    try:
        return _READERS[kind](Check(type, kind, negated, given.get("value"), written=given), given, options)
    except ValueError as error:
        raise RecordError("checks", f"{where}, `{type}`: {error}") from None


# --- The values of each kind; ValueError says what is wrong ------------------------------------------


def _read_text(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    return replace(check, value=_to_text(check.value))


def _read_texts(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    if not isinstance(check.value, list) or not check.value:
        raise ValueError(f"expected a list of texts, and the value is {_show(check.value)}")
    return replace(check, value=tuple(map(_to_text, check.value)))


def _read_any_value(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    if check.value is None:
        raise ValueError("the value is null")
    return check


def _read_regex(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    try:
        return replace(check, value=re.compile(_to_text(check.value)))
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None


def _read_schema(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    if check.value is not None and (mistake := find_schema_mistake(check.value)):
        raise ValueError(mistake)
    return check


def _read_number(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    if isinstance(check.value, bool) or not isinstance(check.value, int | float | str):
        raise ValueError(f"expected a number, and the value is {_show(check.value)}")
    from evalmake.harnesses.native.answers.number import read_target  # its patterns take time to compile

    try:
        value = read_target(as_text(check.value))
    except ValueError as error:
        said = str(error).partition(";")[0]  # what follows is about scorers
        raise ValueError(f"the value {_show(check.value)} {said}") from None
    return replace(check, value=value, limit=_read_limit(given, "tolerance"))


def _read_choice(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    own = given.get("options")
    if own is not None and not (isinstance(own, list) and 2 <= len(own) <= 26):
        raise ValueError("`options` are a list of 2 to 26 texts")
    texts = tuple(map(as_text, own)) if own else tuple(options)
    if not texts:
        raise ValueError("there are no options: write `choices`, or `options` of the check")
    index = find_right_option(check.value, own or texts, texts)
    if index is None:
        raise ValueError(f"{_show(check.value)} is none of the {len(texts)} options")
    return replace(check, value=index, options=texts)


def _read_judge(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    threshold = _read_limit(given, "threshold")
    if threshold is not None and threshold > 1:
        raise ValueError(f"`threshold` is a grade from 0 to 1, and it is {threshold:g}")
    return replace(check, value=_to_text(check.value), limit=threshold)


def _read_similar(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    threshold = _read_limit(given, "threshold")
    if threshold is not None and threshold > 1:
        raise ValueError(f"`threshold` is a similarity from 0 to 1, and it is {threshold:g}")
    several = check.value if isinstance(check.value, list) and check.value else [check.value]
    return replace(check, value=tuple(map(_to_text, several)), limit=threshold)


def _read_latency(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    if (check.value is None) == (given.get("threshold") is None):
        raise ValueError('write the most that a reply may take: `value` with a unit, as "2s", or `threshold` in ms')
    if check.value is None:
        return replace(check, limit=(_read_limit(given, "threshold") or 0) / 1000)
    seconds = read_unit(check.value)
    if seconds is None:
        raise ValueError(f'a time has a unit, as "2s" or "500ms", and the value is {_show(check.value)}')
    return replace(check, limit=seconds)


def _read_tokens(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    return replace(check, limit=_read_limit(given, "value", needed=True))


def _read_tool_call(check: Check, given: Mapping[str, Any], options: Sequence[str]) -> Check:
    arguments = given.get("arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise ValueError(f"`arguments` are an object, and they are {_show(arguments)}")
    return replace(check, value=_to_text(given.get("name")), arguments=arguments)


_READERS = {
    **dict.fromkeys(TEXTS, _read_text),
    **dict.fromkeys(LISTS, _read_texts),
    "equals": _read_any_value,
    "regex": _read_regex,
    "json": _read_schema,
    "contains-json": _read_schema,
    "json-schema": _read_schema,
    "number": _read_number,
    "choice": _read_choice,
    "judge": _read_judge,
    "similar": _read_similar,
    "latency": _read_latency,
    "tokens": _read_tokens,
    "tool-call": _read_tool_call,
}


def _to_text(value: object) -> str:
    """A value as text; ValueError for what is none, or says nothing."""
    if value is None or isinstance(value, list | dict):
        raise ValueError(f"expected a text, and the value is {_show(value)}")
    text = as_text(value)
    if not text.strip():
        raise ValueError("the value is empty")
    return text


def _read_limit(given: Mapping[str, Any], key: str, *, needed: bool = False) -> float | None:
    value = given.get(key)
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e15:
        raise ValueError(f"`{key}` is a number from 0 up, and it is {_show(value)}")
    return float(value)


def _show(value: object) -> str:
    text = dumps(value).decode("utf-8", "replace")
    return text if len(text) <= 60 else f"{text[:57]}..."
