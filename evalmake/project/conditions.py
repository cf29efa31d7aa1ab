"""Reads and checks the `when`s and `skip`s of an eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest_name, make_error
from evalmake.language.expressions import Evaluator
from evalmake.language.source import Span
from evalmake.language.values import Value
from evalmake.project.axes import (
    Axis,
    AxisValue,
    find_item_spans,
    report_quoted,
    to_axis_values,
    with_type,
)
from evalmake.project.axis_keys import SETTINGS, find_overlap
from evalmake.project.axis_values import is_same_value
from evalmake.project.includes import LoadedFile
from evalmake.project.inheritance import Inheritance, Layer, MergedLayers
from evalmake.project.requirements import Gate, read_gates
from evalmake.project.schema import Eval
from evalmake.project.validation import report_unknown_key

_MOST_NAMED = 1_000_000


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
            _check_body(node, file, [axis.key for axis in axes], inheritance, diagnostics, about)
        if tests is not None:
            first, last = node.tests[0].start, node.tests[-1].end
            span = Span(file.source, node.start if skips else first, last)
            conditions.append(Condition(tests, Layer(file, body, origin), gates, text, span))
    return tuple(conditions)


def _check_body(
    node: tree.When,
    file: LoadedFile,
    axes: Sequence[str],
    inheritance: Inheritance,
    diagnostics: Diagnostics,
    about: str,
) -> None:
    for statement in node.body:
        if isinstance(statement, tree.Assign):
            key = statement.key.text
            if axis := _find_changed_axis(statement, file, axes, inheritance):
                diagnostics.error(
                    "misplaced",
                    f"a `when` cannot change the axis `{axis}`",
                    file.span(statement.key),
                    about=about,
                    help=["`skip` the cells that you do not want, or write a second eval"],
                )
            elif key not in Eval.model_fields:
                report_unknown_key(
                    diagnostics,
                    key,
                    file.span(statement.key),
                    sorted(Eval.model_fields),
                    "an eval",
                    about,
                    topic="eval",
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


def _find_changed_axis(
    statement: tree.Assign, file: LoadedFile, axes: Sequence[str], inheritance: Inheritance
) -> str | None:
    """The axis that a statement of a `when` would change."""
    key = statement.key.text
    if key not in SETTINGS:
        return key if key in axes else None
    try:
        value = Evaluator(inheritance.scope, file.source, frozenset(axes))(statement.value)
    except EvalmakeError:  # it is reported where the value is used
        return None
    return find_overlap(key, value, axes)


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
    if not axis.is_core:
        return _read_wanted_settings(test, file, axis, value, diagnostics, about)
    given = value if isinstance(value, tuple) else (value,)
    members = to_axis_values(given)
    for item in given:
        if axis.key in ("model", "benchmark") and isinstance(item, str):
            report_quoted(axis.key, item, file.span(test.value), diagnostics, about)
    for member, span in zip(members, find_item_spans(test.value, file, len(members)), strict=True):
        if with_type(member) not in axis.known:
            _report_unknown_value(axis, str(member), span, diagnostics, about)
    return frozenset(with_type(member) for member in members)


def _read_wanted_settings(
    test: tree.Test, file: LoadedFile, axis: Axis, value: Value, diagnostics: Diagnostics, about: str
) -> frozenset[tuple[str, AxisValue]]:
    """The values of an axis over a parameter or a key of the benchmark, by what they stand for."""
    given = value if test.among and isinstance(value, tuple) else (value,)
    known = [*zip(axis.settings, axis.values, strict=True)]
    known += zip(axis.declared_settings, axis.declared, strict=True)  # an override may have replaced them
    wanted = []
    for item, span in zip(given, find_item_spans(test.value, file, len(given)), strict=True):
        names = [with_type(name) for setting, name in known if is_same_value(setting, item)]
        if not names:
            _report_unknown_value(axis, " ".join(span.text.split()), span, diagnostics, about)
        wanted += names
    return frozenset(wanted)


def _report_unknown_value(axis: Axis, text: str, span: Span, diagnostics: Diagnostics, about: str) -> None:
    names = axis.declared_parts
    meant = closest_name(text.strip("\"'"), names)
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    diagnostics.error(
        "dead-condition",
        f"the axis `{axis.key}` has no value `{text}`, so this matches no cell",
        span,
        also=[(axis.span, f"its values are {shown}")],
        about=about,
        help=[f"did you mean `{meant}`?"] if meant else [],
    )


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
