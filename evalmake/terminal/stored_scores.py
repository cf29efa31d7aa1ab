"""What `evalmake results` prints of scores: for people, programs, spreadsheets and papers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evalmake.language.markdown_text import escape, render_table
from evalmake.scoring.numbers import format_percent
from evalmake.scoring.result_set import TableCell
from evalmake.stored_results import StoredResult
from evalmake.stored_table import ScoredCell, StoredTable
from evalmake.terminal.plan import render_reasons
from evalmake.terminal.score_lines import list_notes, list_score_rows
from evalmake.terminal.table_formats import to_csv, to_latex
from evalmake.terminal.tables import align_columns, wrap_row

_MOST_NAMES = 5
_NUMBERS = ("mean", "low", "high", "confidence", "stderr", "n", "runs")


def render_stored_scores(table: StoredTable, form: str, columns: int | None = None) -> str:
    """The table in one of the formats."""
    match form:
        case "json":
            return json.dumps(_to_json(table), indent=2, ensure_ascii=False)
        case "csv":
            return to_csv(_list_csv_rows(table)).rstrip("\n")
        case "markdown":
            return "\n\n".join([render_table(_make_matrix(table)), *_to_markdown_notes(table)])
        case "latex":
            return to_latex(_make_matrix(table))
    return "\n\n".join(part for part in (_render_lines(table, columns), _render_notes(table, columns)) if part)


# Lines -----------------------------------------------------------------------------------------------


def _render_lines(table: StoredTable, columns: int | None) -> str:
    """A line for each cell, as a build prints it, with the number of items and why it is not valid."""
    if not table.cells:
        return ""
    head, *rows = list_score_rows(table.rows, table.column, [one.cell for one in table.cells], table.confidence)
    full = [
        (*head[:5], "n", head[5], "state" if any(one.label for one in table.cells) else ""),
        *((*row[:5], _count_items(one.cell), row[5], one.label) for row, one in zip(rows, table.cells, strict=True)),
    ]
    lines = align_columns(full)
    if columns is None or max(map(len, lines)) <= columns or len({row[2] for row in rows}) > 1:
        return "\n".join(lines)
    # A metric that all lines share is told once, where lines would be too wide for the terminal.
    return "\n".join([f"metric: {rows[0][2]}", *align_columns([(*row[:2], *row[3:]) for row in full])])


def _count_items(cell: TableCell) -> str:
    return str(cell.average.samples or "-")


def _render_notes(table: StoredTable, columns: int | None) -> str:
    """What a reader must know: of the scores, of results that are not valid, and of those that are missing."""
    notes = list_notes([one.cell for one in table.cells])
    lines = [wrap_row(f"{note.partition(': ')[0]}: ", note.partition(": ")[2], columns) for note in notes]
    for label, names, reason in _group_by_reason(table):
        lines.append(wrap_row(f"{label}: ", f"{names}: {reason}", columns))
    return "\n".join(lines)


def _group_by_reason(table: StoredTable) -> list[tuple[str, str, str]]:
    """What marks them, the names of the evaluations and why, for those that are not valid or missing."""
    groups: dict[tuple[str, str], list[StoredResult]] = {}
    for one in (*table.doubtful, *table.missing):
        label = one.label.partition(":")[0] if one.has_scores else "no result"
        groups.setdefault((label, render_reasons(one.reasons)), []).append(one)
    return [(label, _list_names(found), reason) for (label, reason), found in groups.items()]


def _list_names(found: Sequence[StoredResult]) -> str:
    names = [one.name for one in found]
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + rest


# A matrix --------------------------------------------------------------------------------------------


def _make_matrix(table: StoredTable) -> list[list[str]]:
    """Rows and columns with the estimates of reports; the head has the metric, and n where all of a column share it."""
    heads: dict[tuple[str, str], list[ScoredCell]] = {}
    rows: dict[tuple[str, str], dict[tuple[str, str], TableCell]] = {}
    for one in table.cells:
        place = (one.cell.column, one.cell.metric)
        heads.setdefault(place, []).append(one)
        rows.setdefault((one.cell.row, one.label), {})[place] = one.cell
    shared = {place: {one.cell.average.samples for one in found} for place, found in heads.items()}
    return [
        [table.rows, *(_name_column(place, shared[place]) for place in heads)],
        *(
            [
                f"{row} ({label})" if label else row,
                *(_render_entry(cells.get(place), len(shared[place]) > 1, table.confidence) for place in heads),
            ]
            for (row, label), cells in rows.items()
        ),
    ]


def _name_column(place: tuple[str, str], counts: set[int]) -> str:
    column, metric = place
    (count,) = counts if len(counts) == 1 else (0,)
    return f"{column}, {metric}{f' (n = {count})' if count else ''}"


def _render_entry(cell: TableCell | None, with_count: bool, confidence: float) -> str:
    if cell is None:
        return "–"
    own = cell.average.low is not None and cell.confidence != confidence
    text = f"{cell.average} at {format_percent(cell.confidence)}" if own else str(cell.average)
    return f"{text}, n = {cell.average.samples}" if with_count and cell.average.samples else text


def _to_markdown_notes(table: StoredTable) -> list[str]:
    notes = [*list_notes([one.cell for one in table.cells])]
    notes += [f"{label}: {names}: {reason}" for label, names, reason in _group_by_reason(table)]
    interval = f"Brackets hold {format_percent(table.confidence)} confidence intervals, unless they say otherwise."
    return [interval] * bool(table.cells) + (["\n".join(f"- {escape(note)}" for note in notes)] if notes else [])


# For programs ----------------------------------------------------------------------------------------


def _list_csv_rows(table: StoredTable) -> list[list[object]]:
    head: list[object] = [table.rows, table.column, "metric", *_NUMBERS, "state"]
    return [head, *(_to_csv_row(one) for one in table.cells)]


def _to_csv_row(one: ScoredCell) -> list[object]:
    cell, average = one.cell, one.cell.average
    numbers = (average.mean, average.low, average.high, cell.confidence, average.stderr, average.samples or None)
    return [cell.row, cell.column, cell.metric, *numbers, average.runs, one.label or "valid"]


def _to_json(table: StoredTable) -> dict[str, Any]:
    from evalmake.exporters.json import cell_to_json

    return {
        "rows": table.rows,
        "column": table.column,
        "confidence": table.confidence,
        "table": [{**cell_to_json(one.cell), "state": one.label or "valid"} for one in table.cells],
        "results": _list_results(table),
        "missing": [{"name": one.name, "reason": render_reasons(one.reasons)} for one in table.missing],
    }


def _list_results(table: StoredTable) -> list[dict[str, Any]]:
    """Every evaluation with a result, in the order of the Evalfile."""
    from evalmake.exporters.json import result_to_json

    found = {}
    for _, results in table.parts:
        notes = results.collect_notes()
        found.update({one.name: result_to_json(one, results, notes[one.name]) for one in results.results})
    return [
        {
            **found[one.name],
            "state": one.label or "valid",
            "reason": render_reasons(one.reasons) if one.reasons else "",
        }
        for one in table.stored
        if one.has_scores
    ]
