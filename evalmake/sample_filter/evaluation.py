"""Makes a function of an expression: whether a sample is meant. It never fails, whatever a sample holds."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from evalmake.sample_filter.parser import ORDERS, compile_pattern
from evalmake.sample_filter.tree import Call, Comparison, Field, Joined, Literal, Node, Not, Values

Sample = TypeVar("Sample")
Value = object
Reader = Callable[[Sample], Value]
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_MOST_DIGITS = 40


def make_filter(node: Node, read: Callable[[Field], Reader[Sample]]) -> Callable[[Sample], bool]:
    """Whether a sample is meant; `read` gives a function from a sample to the value of a field."""
    value = _make_reader(node, read)
    return lambda sample: is_true(value(sample))


def _make_reader(node: Node, read: Callable[[Field], Reader[Sample]]) -> Reader[Sample]:
    match node:
        case Literal(value=value):
            return lambda sample: value
        case Values(items=items):
            values = [item.value for item in items]
            return lambda sample: values
        case Field():
            return read(node)
        case Call(function=function, argument=argument):
            inner = _make_reader(argument, read)
            call = _lower if function == "lower" else _count
            return lambda sample: call(inner(sample))
        case Not(operand=operand):
            condition = _make_reader(operand, read)
            return lambda sample: not is_true(condition(sample))
        case Joined(operator=word, operands=operands):
            conditions = [_make_reader(one, read) for one in operands]
            join = all if word == "and" else any
            return lambda sample: join(is_true(one(sample)) for one in conditions)
        case Comparison():
            return _make_comparison(node, read)


def _make_comparison(node: Comparison, read: Callable[[Field], Reader[Sample]]) -> Reader[Sample]:
    left = _make_reader(node.left, read)
    if node.operator == "matches":
        assert isinstance(node.right, Literal), "the parser checks it"
        search = compile_pattern(str(node.right.value)).search
        return lambda sample: (text := as_text(left(sample))) is not None and search(text) is not None
    right = _make_reader(node.right, read)
    if node.operator in ORDERS:
        order = _ORDER[node.operator]
        return lambda sample: _is_ordered(order, left(sample), right(sample))
    match node.operator:
        case "==":
            return lambda sample: are_equal(left(sample), right(sample))
        case "!=":
            return lambda sample: not are_equal(left(sample), right(sample))
        case "in":
            return lambda sample: _is_in(left(sample), right(sample))
    return lambda sample: not _is_in(left(sample), right(sample))


def is_true(value: Value) -> bool:
    """Whether a value alone holds: none, false, 0, and an empty text, list or object do not."""
    return bool(value)


def are_equal(one: Value, other: Value) -> bool:
    """Equality as a person sees it: files of data often have only texts, so "3" equals 3, and "true" equals true."""
    if one is None or other is None:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        first, second = as_boolean(one), as_boolean(other)
        return first is not None and first is second
    if isinstance(one, int | float) or isinstance(other, int | float):
        number = as_number(one)
        return number is not None and number == as_number(other)
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return type(one) is type(other) and as_text(one) == as_text(other)


def _is_ordered(order: Callable[[float, float], bool], one: Value, other: Value) -> bool:
    """False where one of the two is no number."""
    first, second = as_number(one), as_number(other)
    return first is not None and second is not None and order(first, second)


def _is_in(one: Value, other: Value) -> bool:
    """Whether a list has an equal value, or a text the text; nothing is in anything else."""
    if isinstance(other, list | tuple):
        return any(are_equal(one, value) for value in other)
    if isinstance(other, Mapping):
        return isinstance(one, str) and one in other
    text, part = as_text(other), as_text(one)
    return text is not None and part is not None and part in text


def as_number(value: Value) -> float | None:
    """A number, or a text that is one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > _MOST_DIGITS or not _NUMBER.fullmatch(value):
            return None
        value = float(value)
    if isinstance(value, int | float):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    return None


def as_boolean(value: Value) -> bool | None:
    """A boolean, or a text that is `true` or `false` in any case; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower()) if len(value) < _MOST_DIGITS else None
    return value if isinstance(value, bool) else None


def as_text(value: Value) -> str | None:
    """A value as text: a whole number without decimals, a list or an object as JSON; None for none."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return str(value)


def _lower(value: Value) -> Value:
    text = as_text(value)
    return text.lower() if text is not None else None


def _count(value: Value) -> Value:
    """The characters of a text, the entries of a list; none for none."""
    if isinstance(value, list | tuple | Mapping):
        return len(value)
    text = as_text(value)
    return None if text is None else len(text)
