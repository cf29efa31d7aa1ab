"""Bounds of values: numbers, durations and sizes that programs can take, and texts and lists that fit in memory."""

from __future__ import annotations

import re
from collections.abc import Callable

from evalmake.language.diagnostic import make_error
from evalmake.language.money import Money, Price
from evalmake.language.parser import MAX_NESTING
from evalmake.language.source import Span
from evalmake.language.values import Duration, Size, Template, Value

_MOST_DIGITS = 400
_LONGEST_TIME = 100 * 365 * 86400  # seconds: waiting functions take no more than about three times as many
_LARGEST_SIZE = 1 << 62
_MOST_AMOUNT = 30  # characters of an amount
_AMOUNTS: dict[type, str] = {Money: "an amount of money", Price: "a price"}
_LARGEST_VALUE = 16 * 1024 * 1024  # in characters; each item of a list or a map counts 16 more


def read_number(text: str, span: Span) -> int | float:
    """A whole or a decimal number."""
    plain = text.replace("_", "")
    if re.fullmatch(r"-?\d+", plain):
        if len(plain) > _MOST_DIGITS:
            raise make_error("bad-value", f"a number of more than {_MOST_DIGITS} digits", span)
        return int(plain)
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        raise make_error("bad-value", "this number is too large", span)
    return value


def read_duration(text: str, span: Span) -> Duration:
    """A duration that clocks can wait for."""
    duration = Duration.parse(text)
    if duration.seconds > _LONGEST_TIME:
        raise make_error("bad-value", "a duration of more than a hundred years", span)
    return duration


def read_size(text: str, span: Span) -> Size:
    """A size that a 64-bit number holds."""
    size = Size.parse(text) if len(text) <= _MOST_DIGITS // 4 else None
    if size is None or size.bytes > _LARGEST_SIZE:
        raise make_error("bad-value", "this size is too large", span)
    return size


def read_percent(text: str, span: Span) -> float:
    """A percentage as a share."""
    if len(text) > _MOST_DIGITS // 4:
        raise make_error("bad-value", f"a percentage of more than {_MOST_DIGITS // 4} digits", span)
    return float(f"{text[:-1]}e-2")  # the nearest number: 99.99 / 100 is a little less than 0.9999


def read_amount(kind: type[Money] | type[Price], text: str, span: Span) -> Money | Price:
    """Money or a price that can be reckoned with."""
    if len(text) > _MOST_AMOUNT:
        raise make_error("bad-value", f"{_AMOUNTS[kind]} of more than {_MOST_AMOUNT} characters", span)
    return kind.parse(text)


_SPELLINGS: tuple[tuple[str, tuple[type, ...], Callable[[str, Span], Value]], ...] = (
    (r"true|false", (bool,), lambda text, _: text == "true"),
    (r"-?\d[\d_]*(\.\d+)?([eE][+-]?\d+)?", (int, float), read_number),
    (r"\d+(\.\d+)?%", (int, float), read_percent),
    (r"(\d+(\.\d+)?(ms|s|m|h|d))+", (Duration,), read_duration),
    (r"\d+(\.\d+)?([KMGT]i?)?B", (Size,), read_size),
)


def read_like(example: Value, text: str, span: Span) -> Value:
    """Read a text as a value of the type of `example`; ValueError if it cannot be one.

    Numbers, durations, sizes, `true` and `false` are written as in an Evalfile; every other example asks for a text.
    """
    if not isinstance(example, bool | int | float | Duration | Size):
        return text
    for pattern, types, read in _SPELLINGS:
        if type(example) in types and re.fullmatch(pattern, text, re.ASCII):
            return read(text, span)
    raise ValueError(text)


class ValueExtents:
    """How large and deep the lists and maps of an Evalfile are, counted once each, as they share their parts."""

    def __init__(self) -> None:
        self._extents: dict[int, tuple[int, int, Value]] = {}  # by id, with the value so that it keeps its id

    def check(self, value: Value, span: Span) -> None:
        """Refuse a text, list or map that is very large or deep, as variables in variables can make it."""
        if isinstance(value, str | Template):
            size, depth = _length(value), 0
        else:
            items = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
            extents = [self._extents.get(id(item)) or (_length(item), 0) for item in items]
            size = sum(16 + extent[0] for extent in extents)
            depth = 1 + max((extent[1] for extent in extents), default=0)
            self._extents[id(value)] = (size, depth, value)
        if depth > MAX_NESTING:
            raise make_error("too-deep", f"lists and maps in this value are nested more than {MAX_NESTING} deep", span)
        if size > _LARGEST_VALUE:
            raise make_error(
                "too-large",
                "this value has more than a million items, or 16 million characters",
                span,
                help=['write fewer items; data belong into a file: `file("PATH")`'],
            )


def _length(value: object) -> int:
    """The characters of a text; a range of numbers counts 16 for each, and any other value nothing."""
    match value:
        case str():
            return len(value)
        case Template():
            return sum(len(part) for part in value.parts if isinstance(part, str))
        case tuple():
            return 16 * len(value)
    return 0
