"""The `markdown` report: a scorecard to read as it is, or rendered.

Nothing volatile is in it (no durations, no date of writing), so the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from evalmake.exporters.interval_legend import explain_intervals
from evalmake.language.atomic_write import write_atomic
from evalmake.language.markdown_text import escape, render_table
from evalmake.project.key_types import Block
from evalmake.project.unasked_models import NO_MODEL
from evalmake.scoring.comparisons import Difference
from evalmake.scoring.cost import add_costs, format_cost
from evalmake.scoring.coverage import coverage_bounds
from evalmake.scoring.intervals import is_binary
from evalmake.scoring.numbers import count_decimals, format_number, format_percent
from evalmake.scoring.result_set import (
    GateResult,
    Result,
    ResultSet,
    RowComparison,
    Score,
    ScoreTable,
    SeedAverage,
    TableCell,
    distinct_runs,
    machine_seconds,
)
from evalmake.scoring.table_sections import TableSection

MARKS = {True: "✓ met", False: "✗ NOT met", None: "? NOT judged"}


class MarkdownExporter:
    """Writes the scorecard; it has no settings of its own."""

    Settings: ClassVar[type[BaseModel]] = Block

    def export(self, results: ResultSet, path: Path) -> None:
        """Write the report to `path` atomically."""
        table = results.table()
        blocks = [f"# {escape(results.title)}", " · ".join(list_summary(results))]
        if table.cells:
            blocks += [render_score_table(results, table)]
            blocks += [] if results.is_by_metric else [_render_metrics(results.results)]
            blocks += [notes] if (notes := render_score_notes(results, table)) else []
        blocks += _render_section(f"Compared with {escape(results.compare)}", _render_comparisons(results))
        blocks += _render_section("Gates", "\n".join(map(render_gate, results.gates)))
        blocks += _render_section("Other metrics", _render_other_metrics(results, table))
        blocks += _render_section("Runs", _render_runs(results))
        blocks += _render_section("Notes", "\n".join(f"- {note}" for note in _list_notes(results)))
        blocks += _render_section("How to read the intervals", explain_intervals(results, table))
        blocks += ["---", f"Plan `{results.plan}`"]
        write_atomic(path, ("\n\n".join(blocks) + "\n").encode())


def _render_section(title: str, body: str) -> list[str]:
    return [f"## {title}", body] if body else []


# --- Parts ---------------------------------------------------------------------------------------


def list_summary(results: ResultSet) -> list[str]:
    """What there is in a report, in a few words each: "2 models", "1 of 1 gates met"."""
    found = results.results
    models = {one.model for one in found} - {NO_MODEL}
    parts = [
        _count(len(found), "evaluation") + (f" of {len(found) + len(results.missing)}" if results.missing else ""),
        *([_count(len(models), "model")] if models or not found else []),
        _count(len({result.benchmark for result in found}), "benchmark"),
    ]
    if results.gates:
        unjudged = sum(gate.met is None for gate in results.gates)
        met = f"{sum(g.met is True for g in results.gates)} of {len(results.gates)} gates met"
        parts.append(f"{met}, {unjudged} not judged" if unjudged else met)
    parts += _count_replies(found)
    parts += [f"{seconds / 3600:.3g} h on {shape}" for shape, seconds in machine_seconds(found).items()]
    parts += [f"cost {format_cost(cost)}"] if (cost := add_costs(one.usage for one in distinct_runs(found))) else []
    days = sorted(result.started[:10] for result in found)
    if days:
        parts.append(f"run {' to '.join(dict.fromkeys((days[0], days[-1])))}")
    return parts


def _count_replies(results: Sequence[Result]) -> list[str]:
    """How many replies the models gave, and how many had been given before."""
    runs = distinct_runs(results)
    asked, cached = (
        int(sum(one.usage.get(f"{role}{kind}", 0) for one in runs for role in ("", "judge_", "embedder_")))
        for kind in ("requests", "cached")
    )
    return [f"{_count(asked, 'request')}, {cached} of them answered from the cache"] if asked else []


def render_score_table(results: ResultSet, table: ScoreTable) -> str:
    """The table; with sections, one for each under its title."""
    return "\n\n".join(
        f"### {escape(section.title)}\n\n{_render_section_table(results, table, section)}"
        if section.title
        else _render_section_table(results, table, section)
        for section in table.sections
    )


def _render_section_table(results: ResultSet, table: ScoreTable, section: TableSection) -> str:
    head = [results.rows, *section.columns, *(group.name for group in section.groups)]
    body = [
        [
            row,
            *(_render_cell(table.cells.get((row, column)), results) for column in section.columns),
            *(_render_group_cell(table.averages[row, group.name], results) for group in section.groups),
        ]
        for row in section.rows
    ]
    return render_table([head, *body])


def _render_cell(cell: TableCell | None, results: ResultSet) -> str:
    return "–" if cell is None else _render_average(cell.average, cell.confidence, results)


def _render_group_cell(cell: TableCell, results: ResultSet) -> str:
    return "–" if cell.average.mean is None else _render_cell(cell, results)


def _render_average(average: SeedAverage, confidence: float, results: ResultSet) -> str:
    """ "0.83 [0.79, 0.87]", and the confidence where it is not the one of the report."""
    own = average.low is not None and confidence != results.confidence
    return f"{average} at {format_percent(confidence)}" if own else str(average)


def render_score_notes(results: ResultSet, table: ScoreTable) -> str:
    """What a reader of a headline score must know of it, and why a row has no average.

    Metrics and tags divide one result into several cells, of which the same is said once.
    """
    told = [
        (cell, "; ".join(note.text for note in cell.average.notes))
        for cell in (*table.cells.values(), *table.averages.values())
    ]
    lacks = [
        (cell, f"no {'value' if cell.average.mean is None else 'interval'}: {cell.average.lack}")
        for cell in table.averages.values()
        if cell.average.lack
    ]
    places: dict[tuple[str, int], list[TableCell]] = {}
    divided = results.is_tagged or results.is_by_metric
    for number, (cell, text) in enumerate((*told, *lacks)):
        if text:
            places.setdefault((text, 0 if divided else number), []).append(cell)
    return "\n".join(f"- {_name_cells(cells)}: {escape(text)}." for (text, _), cells in places.items())


def _name_cells(cells: Sequence[TableCell]) -> str:
    """Cells by their rows and columns: "`a`, `b`, accuracy" are those of two rows."""
    columns: dict[str, list[str]] = {}
    for cell in cells:
        columns.setdefault(cell.row, []).append(escape(cell.column))
    rows: dict[tuple[str, ...], list[str]] = {}
    for row, several in columns.items():
        rows.setdefault(tuple(several), []).append(f"`{row}`")
    return "; ".join(", ".join((*named, *several)) for several, named in rows.items())


def _render_metrics(results: Sequence[Result]) -> str:
    """Which headline metric each benchmark has."""
    by_metric: dict[tuple[str, str], list[str]] = {}
    for result in results:
        by_metric.setdefault((result.metric, str(result.kind)), []).append(result.benchmark)
    told = [
        f"{escape(metric)}{f', {kind}' if kind else ''} ({', '.join(map(escape, dict.fromkeys(benchmarks)))})"
        for (metric, kind), benchmarks in by_metric.items()
    ]
    return f"Metric: {', '.join(told)}."


def render_gate(gate: GateResult) -> str:
    detail = f" ({gate.detail})" if gate.parts or gate.benchmarks else ""
    tier = "" if gate.tier == "critical" else f" ({gate.tier})"
    return f"- {MARKS[gate.met]}{tier}: `{gate.address}`: {escape(gate.message)}{detail}"


def _render_comparisons(results: ResultSet) -> str:
    """Every row against the baseline: a table, what was not compared, what cannot be told."""
    head = [results.rows, results.column, "metric", "difference", "test", "p", "p (Holm)", "verdict", "items"]
    body = [
        [
            one.row,
            one.column,
            one.metric,
            _render_difference(one.difference),
            one.difference.test if one.paired else f"{one.difference.test} (unpaired)",
            _render_p(one.p),
            _render_p(one.p_holm),
            {True: "significant", False: "not significant", None: "–"}[one.significant],
            str(one.difference.n),
        ]
        for one in results.row_comparisons
        if one.difference
    ]
    notes = [note for one in results.row_comparisons for note in _comparison_notes(one)]
    return "\n\n".join(([render_table([head, *body])] if body else []) + (["\n".join(notes)] if notes else []))


def _render_difference(found: Difference) -> str:
    """ "+0.35 [+0.21, +0.49]", with as many decimals as the interval deserves."""
    if found.interval is None:
        return format_number(found.mean, 3, "+")
    digits = count_decimals((found.interval[1] - found.interval[0]) / 2)
    mean, low, high = (format_number(value, digits, "+") for value in (found.mean, *found.interval))
    return f"{mean} [{low}, {high}]"


def _render_p(p: float | None) -> str:
    if p is None:
        return "–"
    return "≤ 0.0001" if p < 0.0001 else format_number(p, 4)


def _comparison_notes(one: RowComparison) -> Iterator[str]:
    pair = f"- `{one.row}` and `{one.baseline}`, {escape(one.column)}:"
    found = one.difference
    if found is None:
        yield f"{pair} not compared: {escape(one.note)}."
    elif not one.paired:
        yield f"{pair} compared as different items, because {escape(one.note)}."
    if one.differences:
        yield f"{pair} beside the rows' names, these differ: {escape('; '.join(one.differences))}."
    if one.dropped and one.paired:
        is_ = "item is" if one.dropped == 1 else "items are"
        yield f"{pair} {one.dropped} {is_} left out: not scored in both, or not the same in both."
    if one.lost_to_adjustment:
        yield (
            f"{pair} alone it would be significant, p = {_render_p(one.p)}; among {one.compared} comparisons it is"
            f" not, p (Holm) = {_render_p(one.p_holm)}."
        )
    if one.significant is False and one.detectable and one.alpha:
        yield (
            f"{pair} not significant. This does not mean that they are equal: so many items give 80 % power to"
            f" detect a difference of {one.detectable:.2g} (α = {one.alpha:.3g})."
        )
    if found and found.test == "none" and found.n > 1:
        yield f"{pair} every item has the same difference, so there is nothing to test."
    if found and found.test == "rule of three":
        yield f"{pair} no item differs."


def _render_other_metrics(results: ResultSet, table: ScoreTable) -> str:
    if not table.others:
        return ""
    head = [results.rows, results.column, "metric", "value"]
    lines = [render_table([head, *([c.row, c.column, c.metric, _render_cell(c, results)] for c in table.others)])]
    notes = [
        f"- `{cell.row}`, {escape(cell.column)}, {escape(cell.metric)}: no interval: {escape(cell.average.lack)}."
        for cell in table.others
        if cell.average.lack
    ]
    return "\n\n".join([*lines, "\n".join(notes)] if notes else lines)


def _render_runs(results: ResultSet) -> str:
    told = any(score.reported is not None for r in results.results for score in r.scores)
    head = ["evaluation", "metric", "value", "scored", "unscored", *["SE as reported"] * told]
    body = [
        [
            result.name,
            score.metric,
            _render_average(results.average(score.metric, [result]), results.confidence_of([result]), results),
            *_count_samples(score),
            *[_render_reported_error(score)] * told,
        ]
        for result in results.results
        for score in result.scores
    ]
    return render_table([head, *body]) if body else ""


def _render_reported_error(score: Score) -> str:
    """The standard error that the harness itself gave, and whether it is not ours."""
    if score.reported is None:
        return "–"
    return f"{score.reported:.4g}{' (not ours)' * bool(score.disagreement)}"


def _count_samples(score: Score) -> tuple[str, str]:
    counted = score.scored or score.unscored
    return (str(score.scored), str(score.unscored)) if counted else ("–", "–")


def _list_notes(results: ResultSet) -> Iterator[str]:
    if results.missing:
        names = ", ".join(f"`{name}`" for name in results.missing)
        yield f"{_count(len(results.missing), 'evaluation')} without a result: {names}."
    for result in results.results:
        if result.score(result.metric) is None:
            yield f"`{result.name}` did not report its metric, {escape(result.metric)}."
        if result.attempts > 1:
            yield (f"`{result.name}` has {result.attempts} attempts; attempt {result.attempt} counts.")
        yield from (_describe_unscored(result.name, score) for score in result.scores if score.unscored)


def _describe_unscored(name: str, score: Score) -> str:
    total = score.scored + score.unscored
    text = f"`{name}`: {score.unscored} of {total} samples have no {escape(score.metric)}"
    if score.value is None or not is_binary(score.value, score.stderr or 0.0, score.scored):
        return f"{text} and are left out."
    low, high = coverage_bounds(round(score.value * score.scored), score.scored, total).bounds
    wrong, right = format_number(low), format_number(high)
    return f"{text} and are left out. If they were all wrong, the score would be {wrong}; if all right, {right}."


# --- Text ----------------------------------------------------------------------------------------


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
