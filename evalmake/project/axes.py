"""Reads and checks the axes, `when`, `skip` and `require` of an eval."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest_name, make_error
from evalmake.language.expressions import Evaluator
from evalmake.language.source import Span
from evalmake.language.values import Folder, SecretRef, Symbol, describe_type, format_value
from evalmake.project.includes import LoadedFile
from evalmake.project.inheritance import Inheritance, Layer, MergedLayers
from evalmake.project.requirements import Gate, read_gates, report_secret
from evalmake.project.schema import AXIS_KEYS, Eval
from evalmake.project.validation import COUNT_HELP, describe_share, report_unknown_key

AxisValue = str | int | float | bool
_MOST_NAMED = 1_000_000
_MINIMUM = {"seed": 0, "limit": 1}
_WANTED = {"model": "names of models", "benchmark": "names of benchmarks", "weights": 'folders: glob("PATTERN/")'}


@dataclass(frozen=True)
class Axis:
    """An axis: its key, its values in order, and the values without overrides."""

    key: str
    values: tuple[AxisValue, ...]
    declared: tuple[AxisValue, ...]
    spans: tuple[Span, ...]
    span: Span
    folders: tuple[Folder, ...] = ()  # those that the values of the axis `weights` name

    @cached_property
    def known(self) -> frozenset[tuple[str, AxisValue]]:
        """All values, each with its type; also those that an override replaces."""
        return frozenset(map(with_type, (*self.declared, *self.values)))


@dataclass(frozen=True, slots=True)
class Condition:
    """A `when` or `skip`: the values that each axis must have (by index), and the statements that then apply."""

    tests: tuple[tuple[int, frozenset[tuple[str, AxisValue]]], ...]
    block: Layer
    gates: tuple[Gate, ...]
    text: str
    span: Span

    def matches(self, cell: Sequence[AxisValue]) -> bool:
        """Whether a cell's axis values pass every test."""
        return all(with_type(cell[index]) in wanted for index, wanted in self.tests)


def with_type(value: AxisValue) -> tuple[str, AxisValue]:
    """The value with its type, so that 1, 1.0 and true differ."""
    return type(value).__name__, value


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
    if key not in AXIS_KEYS:
        _report_bad_axis(key, file.span(axis.key), diagnostics, about)
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
            help=[_suggest_range(key, value) or f"for one value write `{key} = {format_value(value)}`"],
        )
        return None
    if not value:
        diagnostics.error("empty-axis", f"the axis `{key}` has no values", span, about=about)
        return None
    spans = _item_spans(axis.value, file, len(value))
    members = _check_values(key, value, spans, diagnostics, about)
    if members is None:
        return None
    known = _to_axis_values(declared) if isinstance(declared, tuple) else members
    folders = tuple(item for item in value if isinstance(item, Folder))
    return Axis(key, members, known, spans, file.span(axis.key), folders)


def _suggest_range(key: str, value: object) -> str:
    """Help for a range in quotes; empty for any other value."""
    text = value.strip() if isinstance(value, str) else ""
    return f"write it without quotes: `{key} in {text}`" if re.fullmatch(r"\d+\.\.\d+", text) else ""


def _report_bad_axis(key: str, span: Span, diagnostics: Diagnostics, about: str) -> None:
    if key in Eval.model_fields and key not in ("params", "adapter"):
        diagnostics.error(
            "bad-axis",
            f"`{key}` cannot be an axis",
            span,
            about=about,
            notes=[f"`{key}` is not part of an evaluation's identity: its cells would all be the same"],
        )
        return
    meant = closest_name(key, AXIS_KEYS)
    diagnostics.error(
        "bad-axis",
        f"`{key}` cannot be an axis",
        span,
        about=about,
        notes=[f"the keys that can be axes are {', '.join(AXIS_KEYS)}"],
        help=[f"did you mean `{meant}`?" if meant else "write an eval for each value: `eval NAME from ...`"],
    )


def _item_spans(value: tree.Expr, file: LoadedFile, count: int) -> tuple[Span, ...]:
    """The span of each item of a list; the whole expression's span where the list comes from a variable."""
    if isinstance(value, tree.ListOf) and len(value.items) == count:
        return tuple(file.span(item) for item in value.items)
    return (file.span(value),) * count


def _to_axis_values(values: Sequence[object]) -> tuple[AxisValue, ...]:
    plain: list[AxisValue] = []
    for value in values:
        if isinstance(value, Symbol | Folder):
            plain.append(str(value))
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
        text = str(value)
        again = text in seen and seen[text] != span
        if wanted == (Symbol,) and isinstance(value, str):
            _report_quoted(key, value, span, diagnostics, about)
        elif not isinstance(value, wanted) or isinstance(value, bool):
            what = _WANTED.get(key, "whole numbers")
            diagnostics.error(
                "wrong-type",
                f"the axis `{key}` takes {what}, but this is {describe_share(value) or describe_type(value)}",
                span,
                about=about,
                help=[COUNT_HELP] if key == "limit" and describe_share(value) else [],
            )
        elif isinstance(value, int) and value < (least := _MINIMUM[key]):
            diagnostics.error("bad-value", f"`{key}` is {value}: it must be at least {least}", span, about=about)
        elif text in seen:
            diagnostics.error(
                "duplicate-value",
                f"`{text}` occurs twice in the axis `{key}`",
                span,
                "given again here" if again else "",
                also=[(seen[text], "first given here")] if again else [],
                about=about,
            )
        seen.setdefault(text, span)
    return _to_axis_values(values) if len(diagnostics) == before else None


def _report_quoted(key: str, value: str, span: Span, diagnostics: Diagnostics, about: str) -> None:
    diagnostics.error(
        "quoted-name",
        f"`{key}` takes a name, which has no quotes",
        span,
        about=about,
        help=[f"write `{value}`"],
    )


def read_conditions(
    merged: MergedLayers,
    axes: Sequence[Axis],
    inheritance: Inheritance,
    diagnostics: Diagnostics,
    about: str,
    skips: bool = False,
) -> tuple[Condition, ...]:
    """Read the `when`s (or `skip`s), and check that each tests axes of this eval for values that they have."""
    conditions, named = [], 0
    for node, file in merged.skips if skips else merged.whens:
        tests = _read_tests(node.tests, file, axes, inheritance, diagnostics, about)
        named += sum(len(wanted) for _, wanted in tests or ())
        if named > _MOST_NAMED:
            message = f"the conditions of this eval name more than {_MOST_NAMED} values"
            raise make_error("too-large", message, Span(file.source, node.start, node.end), about=about)
        text = " and ".join(Span(file.source, test.start, test.end).text for test in node.tests)
        text = " ".join(text.split())
        origin = "skip"
        body: tuple[tree.Statement, ...] = ()
        gates: tuple[Gate, ...] = ()
        if isinstance(node, tree.When):
            origin, body = f"when {text}", node.body
            requires = [(s, file) for s in node.body if isinstance(s, tree.Require)]
            gates = read_gates(requires, {axis.key for axis in axes}, inheritance, diagnostics, origin)
            _check_body(node, file, {axis.key for axis in axes}, diagnostics, about)
        if tests is not None:
            first, last = node.tests[0].start, node.tests[-1].end
            span = Span(file.source, node.start if skips else first, last)
            conditions.append(Condition(tests, Layer(file, body, origin), gates, text, span))
    return tuple(conditions)


def _check_body(node: tree.When, file: LoadedFile, axes: set[str], diagnostics: Diagnostics, about: str) -> None:
    for statement in node.body:
        if isinstance(statement, tree.Assign):
            key = statement.key.text
            if key not in Eval.model_fields:
                report_unknown_key(
                    diagnostics,
                    key,
                    file.span(statement.key),
                    sorted(Eval.model_fields),
                    "an eval",
                    about,
                    topic="eval",
                )
            elif key in axes:
                diagnostics.error(
                    "misplaced",
                    f"a `when` cannot change the axis `{key}`",
                    file.span(statement.key),
                    about=about,
                    help=["`skip` the cells that you do not want, or write a second eval"],
                )
        elif not isinstance(statement, tree.Require):
            diagnostics.error(
                "misplaced",
                "a `when` holds only `key = value` and `require`",
                file.span(statement),
                about=about,
                help=_suggest_skip(node, statement, file),
            )


def _suggest_skip(node: tree.When, statement: tree.Statement, file: LoadedFile) -> list[str]:
    """Help for a `skip` inside a `when`: one `skip` with the tests of both."""
    if not isinstance(statement, tree.Skip):
        return []
    texts = [Span(file.source, test.start, test.end).text for test in (*node.tests, *statement.tests)]
    tests = " and ".join(dict.fromkeys(" ".join(text.split()) for text in texts))
    return [f"write `skip {tests}` beside the `when`"]


def _read_tests(
    tests: Sequence[tree.Test],
    file: LoadedFile,
    axes: Sequence[Axis],
    inheritance: Inheritance,
    diagnostics: Diagnostics,
    about: str,
) -> tuple[tuple[int, frozenset[tuple[str, AxisValue]]], ...] | None:
    """Each test as the index of an axis and the values that it allows; `None` after an error."""
    allowed_values = []
    before = len(diagnostics)
    for test in tests:
        index = next((i for i, axis in enumerate(axes) if axis.key == test.key.text), None)
        if index is None:
            _report_not_an_axis(test, file, axes, diagnostics, about)
            continue
        wanted = _read_wanted_values(test, file, axes[index], inheritance, diagnostics, about)
        allowed_values.append((index, wanted))
    if len(diagnostics) > before:
        return None
    for index in {i for i, _ in allowed_values}:
        allowed = [wanted for i, wanted in allowed_values if i == index]
        if not frozenset.intersection(*allowed):
            diagnostics.error(
                "dead-condition",
                f"no value of `{axes[index].key}` satisfies this condition",
                Span(file.source, tests[0].start, tests[-1].end),
                about=about,
            )
            return None
    return tuple(allowed_values)


def _read_wanted_values(
    test: tree.Test,
    file: LoadedFile,
    axis: Axis,
    inheritance: Inheritance,
    diagnostics: Diagnostics,
    about: str,
) -> frozenset[tuple[str, AxisValue]]:
    try:
        value = Evaluator(inheritance.scope, file.source)(test.value)
    except EvalmakeError as error:
        diagnostics.extend(error.diagnostics)
        return frozenset()
    given = value if isinstance(value, tuple) else (value,)
    members = _to_axis_values(given)
    for item in given:
        if axis.key in ("model", "benchmark") and isinstance(item, str):
            _report_quoted(axis.key, item, file.span(test.value), diagnostics, about)
    for member, span in zip(members, _item_spans(test.value, file, len(members)), strict=True):
        if with_type(member) not in axis.known:
            names = [str(v) for v in axis.declared]
            meant = closest_name(str(member), names)
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            diagnostics.error(
                "dead-condition",
                f"the axis `{axis.key}` has no value `{member}`, so this matches no cell",
                span,
                also=[(axis.span, f"its values are {shown}")],
                about=about,
                help=[f"did you mean `{meant}`?"] if meant else [],
            )
    return frozenset(with_type(member) for member in members)


def _report_not_an_axis(
    test: tree.Test, file: LoadedFile, axes: Sequence[Axis], diagnostics: Diagnostics, about: str
) -> None:
    names = [axis.key for axis in axes]
    meant = closest_name(test.key.text, names)
    diagnostics.error(
        "not-an-axis",
        f"`{test.key.text}` is not an axis of this eval",
        file.span(test.key),
        about=about,
        notes=[
            f"its axes are {', '.join(names)}"
            if names[1:]
            else f"its only axis is `{names[0]}`"
            if names
            else "it has no axes"
        ],
        help=[f"did you mean `{meant}`?"]
        if meant
        else ["a condition can only test axes: make it an axis, or write a second eval"],
    )
