"""The sections of a report's table: some of its columns, or of its rows, under a title."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalmake.project.column_groups import ColumnGroup

OTHER, AVERAGES = "Other", "Averages"


@dataclass(frozen=True, slots=True)
class TableSection:
    """A part of a table; a table without sections is one without a title."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    groups: tuple[ColumnGroup, ...]


def divide_table(
    rows: Sequence[str], columns: Sequence[str], groups: Sequence[ColumnGroup], sections: Mapping[str, Sequence[str]]
) -> tuple[TableSection, ...]:
    """The sections that have something to show, and one of the rest.

    They divide the columns if they name any, or else the rows. A column over others stands with these.
    """
    if not sections:
        return (TableSection("", tuple(rows), tuple(columns), tuple(groups)),)
    named = {name for names in sections.values() for name in names}
    if named & {*columns}:
        return tuple(_divide_columns(rows, columns, groups, sections))
    return tuple(_divide_rows(rows, columns, groups, sections))


def _divide_columns(
    rows: Sequence[str], columns: Sequence[str], groups: Sequence[ColumnGroup], sections: Mapping[str, Sequence[str]]
) -> Iterator[TableSection]:
    rest, left = list(columns), list(groups)
    for title, names in sections.items():
        chosen = tuple(name for name in names if name in rest)
        inside = tuple(group for group in left if group.weights is not None and {*group.weights} <= {*names})
        rest, left = [name for name in rest if name not in chosen], [group for group in left if group not in inside]
        if chosen:
            yield TableSection(title, tuple(rows), chosen, inside)
    if rest:
        yield TableSection(OTHER, tuple(rows), tuple(rest), ())
    if left:
        yield TableSection(AVERAGES, tuple(rows), (), tuple(left))


def _divide_rows(
    rows: Sequence[str], columns: Sequence[str], groups: Sequence[ColumnGroup], sections: Mapping[str, Sequence[str]]
) -> Iterator[TableSection]:
    rest = list(rows)
    for title, names in sections.items():
        # A row that another axis divides has more behind its name: "qwen (limit=10)".
        chosen = tuple(row for name in names for row in rest if row == name or row.startswith(f"{name} ("))
        rest = [row for row in rest if row not in chosen]
        if chosen:
            yield TableSection(title, chosen, tuple(columns), tuple(groups))
    if rest:
        yield TableSection(OTHER, tuple(rest), tuple(columns), tuple(groups))
