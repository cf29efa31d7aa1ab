"""Scores with their intervals, a line for each (row, column) pair: at the end of a build, and of stored results."""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.scoring.numbers import format_interval, format_number, format_percent
from evalmake.scoring.result_set import ResultSet, TableCell
from evalmake.terminal.tables import align_columns


def render_scores(results: ResultSet) -> str:
    """A table with a line for each (row, column) pair: the pooled headline score and its interval."""
    cells = list(results.table().cells.values())
    return "\n".join(align_columns(list_score_rows(results.rows, results.column, cells, results.confidence)))


def list_score_rows(rows: str, column: str, cells: Sequence[TableCell], confidence: float) -> list[tuple[str, ...]]:
    """The head, and a row for each cell: where it stands, metric, score, interval, and how many runs there are."""
    confidences = {cell.confidence for cell in cells} or {confidence}
    head = f"{format_percent(min(confidences))} interval" if len(confidences) == 1 else "interval"
    found = [(rows, column, "metric", "score", head, "")]
    for cell in cells:
        pooled = cell.average
        value = "-" if pooled.mean is None else format_number(pooled.mean)
        interval = ""
        if pooled.low is not None and pooled.high is not None:
            interval = format_interval(pooled.low, pooled.high)
            interval += f" at {format_percent(cell.confidence)}" if len(confidences) > 1 else ""
        runs = f"{pooled.runs} run{'s' * (pooled.runs != 1)}"
        runs += " (the interval is of the runs only)" if pooled.basis == "runs" else ""
        metric = f"{cell.metric} ({cell.kind})" if str(cell.kind) else cell.metric
        found.append((cell.row, cell.column, metric, value, interval, runs))
    return [tuple(row) for row in found]


def render_notes(results: ResultSet) -> list[str]:
    """A line for each (row, column) pair whose score needs notes."""
    return list_notes(list(results.table().cells.values()))


def list_notes(cells: Sequence[TableCell]) -> list[str]:
    """A line for each of these cells whose score needs notes."""
    return [
        f"note: {cell.row}, {cell.column}: {'; '.join(note.text for note in cell.average.notes)}"
        for cell in cells
        if cell.average.notes
    ]
