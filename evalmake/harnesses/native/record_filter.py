"""`where`: which records of the files a benchmark asks, as `level >= 3 and kind in [numeric, open]`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalmake.harnesses.native.dataset import Record
from evalmake.harnesses.native.errors import Mistake, RecordError, TaskError
from evalmake.harnesses.native.template import MissingFieldError, as_text, lookup, to_number

_VALUE = r"""\s*("[^"]*"|'[^']*'|[^\s,\[\]=<>!"'{}]+)\s*"""
_COMPARISON = re.compile(
    rf"""\s*(?:\{{(?P<braced>[^{{}}]+)\}}|(?P<field>[^\s=<>!\[\]{{}}"',]+))\s*
    (?: (?P<op>==|!=|<=|>=|=|<|>) (?P<value>{_VALUE}) | in\s*\[(?P<list>{_VALUE}(?:,{_VALUE})*)\]\s* )""",
    re.VERBOSE,
)
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORD = r"""[^\s=<>!\[\]{}"',]+"""
_HELP = "a field is compared by `=`, `!=`, `<`, `<=`, `>`, `>=` or `in [a, b]`; `and` joins comparisons"
_SHOWN = 8
"""Values of a field that a message lists, at most."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator, and the values to compare with: several for `in`."""

    field: str
    op: str
    values: tuple[str | float | bool | None, ...]

    def holds(self, record: Mapping[str, object]) -> bool:
        """Whether a record matches; RecordError if its value cannot be compared so."""
        value = _read_field(record, self.field)
        if isinstance(value, list | dict):
            raise RecordError("where", f"the field '{self.field}' is a list or an object, which compares with no value")
        if self.op in _ORDERS:
            return self._is_ordered(value)
        equal = any(_are_equal(value, wanted) for wanted in self.values)
        return equal != (self.op == "!=")

    def _is_ordered(self, value: object) -> bool:
        number, bound = to_number(value), self.values[0]
        if number is None:
            text = "none" if value is None else f"'{as_text(value)[:40]}'"
            raise RecordError("where", f"the field '{self.field}' is {text}, which is no number")
        assert isinstance(bound, float), "parse_filter checks it"
        return _ORDERS[self.op](number, bound)


class FilterError(ValueError):
    """`where` is not written as it must be."""

    def __init__(self, message: str, help: str = _HELP) -> None:
        super().__init__(message)
        self.help = help


def parse_filter(text: str) -> tuple[Comparison, ...]:
    """Parse `where`; FilterError says what is wrong."""
    comparisons: list[Comparison] = []
    at = 0
    while True:
        found = _COMPARISON.match(text, at)
        if found is None:
            raise _describe_no_comparison(text[at:].strip())
        comparisons.append(_build_comparison(found))
        at = found.end()
        if at == len(text):
            return tuple(comparisons)
        joint = re.compile(r"and\b").match(text, at)
        if joint is None:
            raise _describe_no_joint(text[at:].strip(), found["value"] or "")
        at = joint.end()


def filter_records(records: Sequence[Record], comparisons: Sequence[Comparison]) -> list[Record]:
    """The records that match all comparisons; TaskError if there are none, or if a field is in no record."""
    for one in comparisons:
        if not any(_has_field(record, one.field) for record in records):
            first = records[0]
            missing = MissingFieldError(one.field, first.data)
            raise TaskError(RecordError("where", str(missing), missing.help).at(first.where))
    chosen, mistakes = [], []
    for record in records:
        try:
            if all(one.holds(record.data) for one in comparisons):
                chosen.append(record)
        except RecordError as error:
            mistakes.append(error.at(record.where))
    if mistakes:
        raise TaskError(*mistakes)
    if not chosen:
        raise TaskError(
            Mistake(f"no record matches `where`: {_describe_values(records, comparisons[0].field)}", "where")
        )
    return chosen


def _describe_no_comparison(rest: str) -> FilterError:
    """What is wrong where a comparison should begin."""
    if not rest:
        return FilterError("expected a comparison such as `kind = numeric`, and there is none")
    message = f"expected a comparison such as `kind = numeric`, and this is `{rest}`"
    if re.match(r"[^\s=<>]+\s+not\s+in\b", rest):
        return FilterError(message, "leave values out one by one: `kind != numeric and kind != open`")
    if re.match(r"""["'][^"']+["']\s*(=|!|<|>|in\b)""", rest):
        return FilterError(
            message, "the name of a field has no quotes; one with spaces has braces: `{the kind} = numeric`"
        )
    if re.search(r"[=<>]\s*\{", rest):
        return FilterError(message, "a field is compared with a value, not with another field")
    return FilterError(message)


def _describe_no_joint(rest: str, value: str) -> FilterError:
    """What is wrong behind a comparison with `value`."""
    message = f"expected `and` or the end, and this is `{rest}`"
    if re.match(r"or\b|\|", rest, re.IGNORECASE):
        return FilterError(message, "name several values of a field as `kind in [numeric, open]`")
    if re.match(r"and\b|&|,|;", rest, re.IGNORECASE):
        return FilterError(message, "comparisons are joined by `and`")
    words = re.match(rf"{_WORD}(?:\s+(?!and\b){_WORD})*\s*(?=$|and\b)", rest)
    if value and words and value.strip()[0] not in "\"'":
        return FilterError(message, f"a value with spaces has quotes: `'{value.strip()} {words[0].strip()}'`")
    return FilterError(message)


def _build_comparison(found: re.Match[str]) -> Comparison:
    field = found["braced"] or found["field"]
    if field != field.strip():
        raise FilterError(f"`{{{field}}}` has blanks inside its braces", f"write `{{{field.strip()}}}`")
    if found["list"]:
        return Comparison(field, "in", tuple(_parse_value(one) for one in re.findall(_VALUE, found["list"])))
    op = "=" if found["op"] == "==" else found["op"]
    text = found["value"].strip()
    value = _parse_value(text)
    if op in _ORDERS and not isinstance(value, float):
        inside = _parse_value(text[1:-1]) if text[0] in "\"'" and len(text) > 2 else None
        help = f"a number has no quotes: `{found['op']} {text[1:-1]}`" if isinstance(inside, float) else ""
        raise FilterError(f"`{op}` compares numbers, and `{text}` is none", help)
    return Comparison(field, op, (value,))


def _parse_value(text: str) -> str | float | bool | None:
    if text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false", "none", "null"):
        return {"true": True, "false": False}.get(text)
    number = to_number(text)
    return text if number is None else number


def _are_equal(value: object, wanted: str | float | bool | None) -> bool:
    """Equality as a person sees it: CSV has only texts, so "3" equals 3 and "true" equals true."""
    if wanted is None or value is None:
        return wanted is None and value is None
    if isinstance(wanted, bool) or isinstance(value, bool):
        return as_text(value).casefold() == as_text(wanted).casefold()
    if isinstance(wanted, float):
        return to_number(value) == wanted
    return as_text(value) == wanted


def _read_field(record: Mapping[str, object], field: str) -> object:
    try:
        return lookup(record, field)
    except MissingFieldError:
        return None


def _has_field(record: Record, field: str) -> bool:
    try:
        lookup(record.data, field)
    except MissingFieldError:
        return False
    return True


def _describe_values(records: Sequence[Record], field: str) -> str:
    values = list(dict.fromkeys(as_text(_read_field(record.data, field)) or "none" for record in records))
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return f"'{field}' is {', '.join(values[:_SHOWN])}{more}"
