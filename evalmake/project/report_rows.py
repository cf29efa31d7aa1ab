"""Checks what the rows and columns of a report stand for, and finds the row that the others are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.project.column_groups import ColumnGroup, list_groups
from evalmake.project.declarations import Declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.key_types import spell_row
from evalmake.project.report_schema import Report
from evalmake.project.schema import AXIS_KEYS

NAMED_ROWS = ("model", "benchmark", "eval")
"""What rows can stand for that have the names of declarations."""
_NAMELESS = ("metric", "seed", "tag")
"""What rows can stand for that are not compared: the seeds of a row are pooled."""


def check_coordinates(report: Declaration, axes: Iterable[str], diagnostics: Diagnostics) -> None:
    """Check a report's `rows` and `column`; `axes` are those over parameters, the adapter and the benchmark's keys."""
    axes = tuple(axes)
    names = (*NAMED_ROWS, "metric", *AXIS_KEYS[2:], "tag", *axes)
    for key in ("rows", "column"):
        value = getattr(report.block, key)
        if value not in names:
            meant = closest_name(value, names)
            inner = [axis for axis in axes if axis.startswith(f"{value}.")]
            help = f"did you mean `{meant}`?" if meant else ""
            if value in ("params", "adapter"):
                help = f"name one axis of an eval, as `{key} = {(inner or [f'{value}.temperature'])[0]}`"
            diagnostics.error(
                "unknown-word",
                f"`{key}` cannot be `{value}`",
                report.fields.spans[key,].value,
                about=f"report {report.name}",
                notes=[f"it can be {', '.join(names)}" + (", or another axis that an eval has" if not axes else "")],
                help=[help] if help else [],
            )


def check_axis_baseline(report: Declaration, evals: Iterable[EvalDeclaration], diagnostics: Diagnostics) -> None:
    """Check that `compare` names a value of the axis that the report's rows stand for."""
    block, about = report.block, f"report {report.name}"
    span = report.fields.spans["compare",].value
    if block.rows in _NAMELESS:
        diagnostics.error(
            "bad-value",
            "`compare` takes the name of a row, but these rows have none",
            span,
            about=about,
            also=[(report.fields.spans["rows",].value, "the rows")],
            help=["use `rows = model`, `benchmark`, `eval` or another axis, such as `params.temperature`"],
        )
    elif not find_baseline(block, evals):
        rows = dict.fromkeys(name for name, _ in _list_rows(block.rows, evals))
        diagnostics.error(
            "unknown-word",
            f"`compare` cannot be `{block.compare}`: `{block.rows}` has no such value",
            span,
            about=about,
            notes=[f"its values are {', '.join(rows)}" if rows else f"no eval has the axis `{block.rows}`"],
        )


def report_unnamed_baseline(report: Declaration, diagnostics: Diagnostics) -> None:
    """Report a baseline that is no name, where rows have names."""
    name = report.block.compare
    diagnostics.error(
        "quoted-name",
        "`compare` takes a name, which has no quotes",
        report.fields.spans["compare",].value,
        about=f"report {report.name}",
        help=[f"write `{name}`"],
    )


def find_baseline(block: Report, evals: Iterable[EvalDeclaration]) -> str:
    """The name of the row that a report compares with; empty if there is none.

    A row of an axis has the value's name in paths, and `compare` may name a text by its variable.
    """
    if block.compare is None or block.rows in NAMED_ROWS:
        return block.compare or ""
    known = [*_list_rows(block.rows, evals)]
    by_name = [name for name, _ in known if name == block.compare]
    by_value = [name for name, value in known if value == block.compare]
    return next(iter([*by_name, *by_value]), "")


def find_groups(block: Report, evals: Iterable[EvalDeclaration]) -> tuple[ColumnGroup, ...]:
    """The groups of a report, each of columns by their names; a variable that names a column stands for its text."""
    names = _name_texts((block.column,), evals)
    return tuple(
        group
        if group.weights is None
        else replace(group, weights={names.get(one, one): weight for one, weight in group.weights.items()})
        for group in list_groups(block)
    )


def find_sections(block: Report, evals: Iterable[EvalDeclaration]) -> dict[str, tuple[str, ...]]:
    """The sections of a report, each of columns or rows by their names, as `find_groups` has them."""
    names = _name_texts((block.column, block.rows), evals)
    return {title: tuple(names.get(one, one) for one in members) for title, members in block.sections.items()}


def _name_texts(keys: Iterable[str], evals: Iterable[EvalDeclaration]) -> Mapping[str, str]:
    """The names of values of axes by what is written for them; a name of one stands for itself."""
    known = [pair for key in keys for pair in _list_rows(key, evals)]
    return {value: name for name, value in reversed(known)} | {name: name for name, _ in known}


def _list_rows(key: str, evals: Iterable[EvalDeclaration]) -> Iterator[tuple[str, str]]:
    """The values of all axes over a key, each as paths name it and as it is written; also those before overrides."""
    for axis in (axis for each in evals for axis in each.axes if axis.key == key):
        pairs = ((axis.values, axis.settings), (axis.declared, axis.declared_settings))
        for names, values in pairs:
            yield from zip(map(spell_row, names), map(spell_row, values or names), strict=True)
