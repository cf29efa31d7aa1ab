"""Checks the columns that a report takes together: that they are columns of it, and can be taken together."""

from __future__ import annotations

from collections.abc import Mapping

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.source import Span
from evalmake.language.text import with_article
from evalmake.project.column_groups import ColumnGroup, list_groups
from evalmake.project.declarations import Declaration
from evalmake.project.project import Project

_NAMED = ("model", "benchmark", "eval")
"""The coordinates whose values are declared."""


def check_groups(report: Declaration, project: Project, diagnostics: Diagnostics) -> None:
    """Check that the columns are declared, that names are used once, and that stated scales are alike."""
    groups, about = list(list_groups(report.block)), f"report {report.name}"
    column = report.block.column
    known = project.of(column) if column in _NAMED else None
    for place, group in enumerate(groups):
        span = _find_span(report, group)
        if any(group.name == one.name for one in groups[:place]) or (known and group.name in known):
            other = f"the {column} `{group.name}`" if known and group.name in known else "another of these columns"
            diagnostics.error(
                "duplicate-name",
                f"the column `{group.name}` has the name of {other}",
                span,
                about=about,
                help=["give it another name"],
            )
        if known is not None:
            unknown = [name for name in group.weights or () if name not in known]
            for name in unknown:
                _report_unknown(name, column, project, span, diagnostics, about)
        if column == "benchmark" and known is not None and group.weights:
            _check_scales(group, known, span, diagnostics, about)


def check_sections(report: Declaration, project: Project, diagnostics: Diagnostics) -> None:
    """Check that what sections name is a column or a row, as far as columns and rows are declared."""
    axes = (report.block.column, report.block.rows)
    if not all(axis in _NAMED for axis in axes):
        return
    known = [name for axis in axes for name in project.of(axis)]
    for title, names in report.block.sections.items():
        spans = report.fields.spans
        for name in names:
            if name in known:
                continue
            meant = closest_name(name, known)
            diagnostics.error(
                "unknown-name",
                f"no {' and no '.join(axes)} is named `{name}`, so the report has no such column or row",
                (spans.get(("sections", title)) or spans["sections",]).value,
                about=f"report {report.name}",
                help=[f"did you mean `{meant}`?"] if meant else [],
            )


def _find_span(report: Declaration, group: ColumnGroup) -> Span:
    spans = report.fields.spans
    return (spans.get((group.form, group.name)) or spans[group.form,]).value


def _report_unknown(name: str, column: str, project: Project, span: Span, diagnostics: Diagnostics, about: str) -> None:
    known = project.of(column)
    meant = closest_name(name, known)
    other = next((kind for kind in _NAMED if kind != column and name in project.of(kind)), "")
    names = sorted(known)
    note = f"the {column}s are {', '.join(names)}" if len(names) <= 8 else ""
    note = f"`{name}` is {with_article(other)}, and each column stands for {with_article(column)}" if other else note
    hint = f"write `column = {other}`, and `rows` for something else" if other else meant and f"did you mean `{meant}`?"
    diagnostics.error(
        "unknown-name",
        f"no {column} is named `{name}`, so the report has no such column",
        span,
        about=about,
        notes=[note] if note and (other or not meant) else [],
        help=[hint] if hint else [],
    )


def _check_scales(
    group: ColumnGroup, known: Mapping[str, Declaration], span: Span, diagnostics: Diagnostics, about: str
) -> None:
    """Refuse to take together what benchmarks say is on other scales."""
    members = [known[name] for name in group.weights or () if name in known]
    for key in ("scale", "better"):
        stated = [(one, getattr(one.block, key)) for one in members if getattr(one.block, key)]
        first, other = stated[:1], next((pair for pair in stated if pair[1] != stated[0][1]), None)
        if other:
            diagnostics.error(
                "bad-value",
                f"`{group.name}` takes together what is not alike: {first[0][0].name} has `{key} = {first[0][1]}`,"
                f" and {other[0].name} `{key} = {other[1]}`",
                span,
                about=about,
                help=["make a group for each, of columns with the same scale and direction"],
            )
            return
    points = [one.name for one in members if one.block.scale == "points"]
    if points and len(members) > 1:
        diagnostics.error(
            "bad-value",
            f"`{group.name}` takes together what is not alike: the points of {points[0]} are a scale of their own",
            span,
            about=about,
            help=["leave it out; a column of its own shows it"],
        )
