"""Reads and checks the axes of an eval."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError
from evalmake.language.expressions import Evaluator
from evalmake.language.source import Span
from evalmake.language.values import Folder, SecretRef, Symbol, Value, describe_type, format_value
from evalmake.project.adapter import Adapter
from evalmake.project.axis_keys import check_key, is_of_benchmark, is_setting
from evalmake.project.axis_values import PART_HELP, call_value, find_variables, is_same_value
from evalmake.project.fields import Fields, ValueOrigin
from evalmake.project.includes import LoadedFile
from evalmake.project.inheritance import Inheritance, MergedLayers
from evalmake.project.key_types import Block, Parameters
from evalmake.project.requirements import report_secret
from evalmake.project.schema import AXIS_KEYS
from evalmake.project.validation import COUNT_HELP, describe_share, validate

AxisValue = str | int | float | bool
_MINIMUM = {"seed": 0, "limit": 1}
_WANTED = {"model": "names of models", "benchmark": "names of benchmarks", "weights": 'folders: glob("PATTERN/")'}


@dataclass(frozen=True)
class Axis:
    """An axis: its key, its values in order, and the values without overrides.

    A value is what a path has. `settings` has what each stands for, on an axis over a parameter or a key of the
    benchmark: a text may be called by the variable that holds it.
    """

    key: str
    values: tuple[AxisValue, ...]
    declared: tuple[AxisValue, ...]
    spans: tuple[Span, ...]
    span: Span
    folders: tuple[Folder, ...] = ()  # those that the values of the axis `weights` name
    settings: tuple[Value, ...] = ()
    declared_settings: tuple[Value, ...] = ()

    @property
    def is_core(self) -> bool:
        """Whether the axis goes over one of the five keys of the eval."""
        return self.key in AXIS_KEYS

    @property
    def is_setting(self) -> bool:
        """Whether the axis goes over an entry of `params` or `adapter`."""
        return is_setting(self.key)

    @property
    def is_of_benchmark(self) -> bool:
        """Whether the axis goes over a key of the benchmark."""
        return is_of_benchmark(self.key)

    def setting(self, value: AxisValue) -> tuple[Value, Span]:
        """What a value of the path stands for, and where it is written."""
        index = [with_type(one) for one in self.values].index(with_type(value))
        return self.settings[index], self.spans[index]

    @cached_property
    def declared_parts(self) -> list[str]:
        """The declared values as parts of paths."""
        return [to_part(value) for value in self.declared]

    @cached_property
    def known(self) -> frozenset[tuple[str, AxisValue]]:
        """All values, each with its type; also those that an override replaces."""
        return frozenset(map(with_type, (*self.declared, *self.values)))


def with_type(value: AxisValue) -> tuple[str, AxisValue]:
    """The value with its type, so that 1, 1.0 and true differ."""
    return type(value).__name__, value


def to_part(value: AxisValue) -> str:
    """The value as a part of the path of a cell."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_axes(merged: MergedLayers, inheritance: Inheritance, diagnostics: Diagnostics, about: str) -> tuple[Axis, ...]:
    """Read the axes, in file order."""
    return tuple(
        axis_found
        for axis, file in merged.axes.values()
        if (axis_found := _read_axis(axis, file, inheritance, diagnostics, about)) is not None
    )


def _read_axis(
    axis: tree.Axis, file: LoadedFile, inheritance: Inheritance, diagnostics: Diagnostics, about: str
) -> Axis | None:
    key, span = axis.key.text, file.span(axis.value)
    if not check_key(key, file.span(axis.key), diagnostics, about):
        return None
    evaluator = Evaluator(inheritance.scope, file.source)
    try:
        value = evaluator(axis.value)
        declared = Evaluator(inheritance.scope, file.source, declared=True)(axis.value)
    except EvalmakeError as error:
        diagnostics.extend(error.diagnostics)
        return None
    if isinstance(value, SecretRef):
        report_secret(span, diagnostics, about)
        return None
    if not isinstance(value, tuple):
        diagnostics.error(
            "wrong-type",
            f"an axis takes a list or a range, but this is {describe_type(value)}",
            span,
            about=about,
            help=[_suggest_range(key, value) or _suggest_one_value(key, value)],
        )
        return None
    if not value:
        diagnostics.error("empty-axis", f"the axis `{key}` has no values", span, about=about)
        return None
    spans = find_item_spans(axis.value, file, len(value))
    if key not in AXIS_KEYS:
        names = find_variables(axis.value, inheritance.scope, False, len(value))
        called = _check_settings(key, value, names, spans, file.span(axis.key), diagnostics, about)
        if called is None:
            return None
        given = declared if isinstance(declared, tuple) else ()
        names = find_variables(axis.value, inheritance.scope, True, len(given))
        calls = [(call_value(one, name), one) for one, name in zip(given, names, strict=True)]
        before = [(name, one) for name, one in calls if name is not None]
        declared_names, declared_settings = tuple(n for n, _ in before), tuple(one for _, one in before)
        return Axis(key, called, declared_names, spans, file.span(axis.key), (), value, declared_settings)
    members = _check_values(key, value, spans, diagnostics, about)
    if members is None:
        return None
    known = to_axis_values(declared) if isinstance(declared, tuple) else members
    folders = tuple(item for item in value if isinstance(item, Folder))
    return Axis(key, members, known, spans, file.span(axis.key), folders)


def _suggest_range(key: str, value: object) -> str:
    """Help for a range in quotes; empty for any other value."""
    text = value.strip() if isinstance(value, str) else ""
    return f"write it without quotes: `{key} in {text}`" if re.fullmatch(r"\d+\.\.\d+", text) else ""


def _suggest_one_value(key: str, value: object) -> str:
    """Help for a value that is no list: the same as one value of the key, where the key is the eval's."""
    if is_of_benchmark(key):
        return f"for one value write `{key} in [{format_value(value)}]`"
    root, *steps = key.split(".")
    text = format_value(value)
    for step in reversed(steps):
        text = f"{{ {step} = {text} }}"
    return f"for one value write `{root} = {text}`"


def find_item_spans(value: tree.Expr, file: LoadedFile, count: int) -> tuple[Span, ...]:
    """The span of each item of a list; the whole expression's span where the list comes from a variable."""
    if isinstance(value, tree.ListOf) and len(value.items) == count:
        return tuple(file.span(item) for item in value.items)
    return (file.span(value),) * count


def to_axis_values(values: Sequence[object]) -> tuple[AxisValue, ...]:
    plain: list[AxisValue] = []
    for value in values:
        if isinstance(value, Symbol | Folder):
            plain.append(str(value))
        elif value is None:
            plain.append("none")
        elif isinstance(value, str | int | float | bool):
            plain.append(value)
    return tuple(plain)


def _check_values(
    key: str, values: Sequence[object], spans: Sequence[Span], diagnostics: Diagnostics, about: str
) -> tuple[AxisValue, ...] | None:
    """The axis values, after checking that each has the right type and occurs once."""
    wanted = (Symbol,) if key in ("model", "benchmark") else (Folder,) if key == "weights" else (int,)
    seen: dict[str, Span] = {}
    before = len(diagnostics)
    for value, span in zip(values, spans, strict=True):
        text = "none" if value is None else str(value)
        is_cleared = value is None and key == "limit"
        if wanted == (Symbol,) and isinstance(value, str):
            report_quoted(key, value, span, diagnostics, about)
        elif not is_cleared and (not isinstance(value, wanted) or isinstance(value, bool)):
            what = _WANTED.get(key, "whole numbers")
            diagnostics.error(
                "wrong-type",
                f"the axis `{key}` takes {what}, but this is {describe_share(value) or describe_type(value)}",
                span,
                about=about,
                help=[COUNT_HELP]
                if key == "limit" and describe_share(value)
                else ["write `model = none` for an eval that asks no model"]
                if key == "model" and value is None
                else [],
            )
        elif isinstance(value, int) and value < (least := _MINIMUM[key]):
            diagnostics.error("bad-value", f"`{key}` is {value}: it must be at least {least}", span, about=about)
        elif text in seen:
            _report_twice(key, text, span, seen[text], diagnostics, about)
        seen.setdefault(text, span)
    return to_axis_values(values) if len(diagnostics) == before else None


def report_quoted(key: str, value: str, span: Span, diagnostics: Diagnostics, about: str) -> None:
    diagnostics.error(
        "quoted-name",
        f"`{key}` takes a name, which has no quotes",
        span,
        about=about,
        help=[f"write `{value}`"],
    )


def _report_twice(key: str, text: str, span: Span, first: Span, diagnostics: Diagnostics, about: str) -> None:
    again = first != span
    diagnostics.error(
        "duplicate-value",
        f"`{text}` occurs twice in the axis `{key}`",
        span,
        "given again here" if again else "",
        also=[(first, "first given here")] if again else [],
        about=about,
    )


class _Settings(Block):
    """The maps of an eval whose entries can be axes."""

    params: Parameters | None = None
    adapter: Adapter | None = None


def _check_settings(
    key: str,
    values: Sequence[Value],
    variables: Sequence[str],
    spans: Sequence[Span],
    span: Span,
    diagnostics: Diagnostics,
    about: str,
) -> tuple[AxisValue, ...] | None:
    """What the values are called, after checking that each has a name of its own, and the type of its key."""
    called: list[AxisValue] = []
    before = len(diagnostics)
    for number, (value, variable, place) in enumerate(zip(values, variables, spans, strict=True)):
        if is_setting(key):
            fields = Fields()
            fields.put_entry(tuple(key.split(".")), value, ValueOrigin(span, place, "own"))
            validate(_Settings, fields.values, fields, diagnostics, about, place, what="an eval", topic="eval")
        name = call_value(value, variable)
        if name is None:
            _report_nameless(key, value, place, diagnostics, about)
            continue
        same = next((i for i, one in enumerate(values[:number]) if is_same_value(one, value)), None)
        alike = next((i for i, one in enumerate(called) if to_part(one) == to_part(name)), None)
        if (first := same if same is not None else alike) is not None:
            _report_twice(key, to_part(name), place, spans[first], diagnostics, about)
        called.append(name)
    return tuple(called) if len(diagnostics) == before else None


def _report_nameless(key: str, value: Value, span: Span, diagnostics: Diagnostics, about: str) -> None:
    """Report a value that a path cannot hold, and that no variable names."""
    diagnostics.error(
        "bad-value",
        f"{describe_type(value)} like this cannot be a part of the path of a cell",
        span,
        about=about,
        notes=[f"a part of a path has {PART_HELP}, at most 64 of them"] if isinstance(value, str) else [],
        help=[f"put each into a variable, whose name is then the part: `{key} in [BRIEF, LONG]`"],
    )
