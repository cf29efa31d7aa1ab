"""The `markdown` report: a scorecard to read as it is, or rendered.

Nothing volatile is in it (no durations, no date of writing), so the same results give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from evalmake.language.atomic_write import write_atomic
from evalmake.project.key_types import Block
from evalmake.scoring.comparisons import Difference
from evalmake.scoring.coverage import coverage_bounds
from evalmake.scoring.intervals import is_binary
from evalmake.scoring.result_set import (
    GateResult,
    Result,
    ResultSet,
    RowComparison,
    Score,
    ScoreTable,
    average_seeds,
    machine_seconds,
)
from evalmake.scoring.seed_average import Basis, count_decimals

MARKS = {True: "✓ met", False: "✗ NOT met", None: "? NOT judged"}
BASES: dict[Basis, str] = {
    "proportion": "Scores of 0 and 1 have Wilson's interval, with the effective sample size p(1 - p)/SE².",
    "mean": "Scores other than 0 and 1 have Student's t interval, mean ± t·SE.",
    "runs": (
        '"(runs only)": the harness reported no standard error. The interval is Student\'s t over the runs. It covers'
        " the spread of the runs, and not the choice of items."
    ),
    "none": "A score without an interval: the harness reported no standard error.",
}
PAIRED = (
    "A difference is the row minus the baseline, over the items that both have. An item's scores are averaged over its"
    " runs first. The interval is Student's t, mean ± t·SE of the paired differences (of clusters, if items come in"
    " clusters)."
)
TESTS: dict[str, str] = {
    "McNemar": "If every score is 0 or 1, p is from McNemar's exact test.",
    "sign flip": "For other scores, such as means over runs, p of up to 20 items is from the exact sign-flip test.",
    "t": "For other scores, such as means over runs, p of more than 20 items is from the paired t test.",
    "clustered t": "If items come in clusters, p is from the t test of the clusters.",
}
HOLM = "p (Holm) is adjusted for the number of comparisons, by Holm's method."


class MarkdownExporter:
    """Writes the scorecard; it has no settings of its own."""

    Settings: ClassVar[type[BaseModel]] = Block

    def export(self, results: ResultSet, path: Path) -> None:
        """Write the report to `path` atomically."""
        table = results.table()
        blocks = [f"# {_escape(results.title)}", _render_summary(results)]
        if table.cells:
            blocks += [_render_scores(results, table), _render_metrics(results.results)]
        blocks += _render_section(f"Compared with {_escape(results.compare)}", _render_comparisons(results))
        blocks += _render_section("Gates", "\n".join(map(_render_gate, results.gates)))
        blocks += _render_section("Other metrics", _render_other_metrics(results, table))
        blocks += _render_section("Runs", _render_runs(results))
        blocks += _render_section("Notes", "\n".join(f"- {note}" for note in _list_notes(results)))
        blocks += _render_section("How to read the intervals", _explain_intervals(results, table))
        blocks += ["---", f"Plan `{results.plan}`"]
        write_atomic(path, ("\n\n".join(blocks) + "\n").encode())


def _render_section(title: str, body: str) -> list[str]:
    return [f"## {title}", body] if body else []


# --- Parts ---------------------------------------------------------------------------------------


def _render_summary(results: ResultSet) -> str:
    found = results.results
    parts = [
        _count(len(found), "evaluation") + (f" of {len(found) + len(results.missing)}" if results.missing else ""),
        _count(len({result.model for result in found}), "model"),
        _count(len({result.benchmark for result in found}), "benchmark"),
    ]
    if results.gates:
        parts.append(f"{sum(g.met is True for g in results.gates)} of {len(results.gates)} gates met")
    parts += _count_replies(found)
    parts += [f"{seconds / 3600:.3g} h on {shape}" for shape, seconds in machine_seconds(found).items()]
    days = sorted(result.started[:10] for result in found)
    if days:
        parts.append(f"run {' to '.join(dict.fromkeys((days[0], days[-1])))}")
    return " · ".join(parts)


def _count_replies(results: Sequence[Result]) -> list[str]:
    """How many replies the models gave, and how many had been given before."""
    kinds = ("requests", "judge_requests", "cached", "judge_cached")
    asked, judged, *cached = (int(sum(r.usage.get(kind, 0) for r in results)) for kind in kinds)
    if not asked + judged:
        return []
    return [f"{_count(asked + judged, 'request')}, {sum(cached)} of them answered from the cache"]


def _render_scores(results: ResultSet, table: ScoreTable) -> str:
    body = [
        [row] + [str(cell.average) if (cell := table.cells.get((row, c))) else "–" for c in table.columns]
        for row in table.rows
    ]
    return _render_table([[results.rows, *table.columns], *map(list, body)])


def _render_metrics(results: Sequence[Result]) -> str:
    """Which headline metric each benchmark has."""
    by_metric: dict[str, list[str]] = {}
    for result in results:
        by_metric.setdefault(result.metric, []).append(result.benchmark)
    told = [f"{_escape(m)} ({', '.join(map(_escape, dict.fromkeys(b)))})" for m, b in by_metric.items()]
    return f"Metric: {', '.join(told)}."


def _render_gate(gate: GateResult) -> str:
    detail = f" ({gate.detail})" if gate.parts else ""
    return f"- {MARKS[gate.met]}: `{gate.address}`: {_escape(gate.message)}{detail}"


def _render_comparisons(results: ResultSet) -> str:
    """Every row against the baseline: a table, what was not compared, what cannot be told."""
    head = [results.rows, results.column, "metric", "difference", "p", "p (Holm)", "items"]
    body = [
        [
            one.row,
            one.column,
            one.metric,
            _render_difference(one.difference),
            _render_p(one.p),
            _render_p(one.p_holm),
            str(one.difference.n),
        ]
        for one in results.row_comparisons
        if one.difference
    ]
    notes = [note for one in results.row_comparisons for note in _comparison_notes(one, results)]
    return "\n\n".join(([_render_table([head, *body])] if body else []) + (["\n".join(notes)] if notes else []))


def _render_difference(found: Difference) -> str:
    """ "+0.35 [+0.21, +0.49]", with as many decimals as the interval deserves."""
    if found.interval is None:
        return f"{found.mean:+.3f}"
    low, high = found.interval
    digits = count_decimals((high - low) / 2)
    return f"{found.mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _render_p(p: float | None) -> str:
    if p is None:
        return "–"
    return "≤ 0.0001" if p < 0.0001 else f"{p:.4f}"


def _comparison_notes(one: RowComparison, results: ResultSet) -> Iterator[str]:
    pair = f"- `{one.row}` and `{one.baseline}`, {_escape(one.column)}:"
    if one.difference is None:
        yield f"{pair} not compared: {_escape(one.note)}."
    if one.unpaired:
        is_ = "item is" if one.unpaired == 1 else "items are"
        yield f"{pair} {one.unpaired} {is_} left out: not scored in both, or not the same in both."
    if one.p_holm is not None and one.p_holm >= 1 - results.confidence and one.detectable:
        yield (
            f"{pair} not significant. This does not mean that they are equal: so many items give 80 % power to"
            f" detect a difference of {one.detectable:.2g}."
        )
    if one.difference and one.p is None and one.difference.n > 1:
        yield f"{pair} every item has the same difference, so there is nothing to test."


def _render_other_metrics(results: ResultSet, table: ScoreTable) -> str:
    if not table.others:
        return ""
    head = [results.rows, results.column, "metric", "value"]
    return _render_table([head, *([c.row, c.column, c.metric, str(c.average)] for c in table.others)])


def _render_runs(results: ResultSet) -> str:
    told = any(score.reported is not None for r in results.results for score in r.scores)
    head = ["evaluation", "metric", "value", "scored", "unscored", *["SE as reported"] * told]
    body = [
        [
            result.name,
            score.metric,
            str(average_seeds([score], results.confidence)),
            *_count_samples(score),
            *[_render_reported_error(score)] * told,
        ]
        for result in results.results
        for score in result.scores
    ]
    return _render_table([head, *body]) if body else ""


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
            yield f"`{result.name}` did not report its metric, {_escape(result.metric)}."
        if result.attempts > 1:
            yield (f"`{result.name}` has {result.attempts} attempts; attempt {result.attempt} counts.")
        yield from (_describe_unscored(result.name, score) for score in result.scores if score.unscored)


def _describe_unscored(name: str, score: Score) -> str:
    total = score.scored + score.unscored
    text = f"`{name}`: {score.unscored} of {total} samples have no {_escape(score.metric)}"
    if score.value is None or not is_binary(score.value, score.stderr or 0.0, score.scored):
        return f"{text} and are left out."
    low, high = coverage_bounds(round(score.value * score.scored), score.scored, total).bounds
    return f"{text} and are left out. If they were all wrong, the score would be {low:.3f}; if all right, {high:.3f}."


def _explain_intervals(results: ResultSet, table: ScoreTable) -> str:
    pooled = [cell.average for cell in (*table.cells.values(), *table.others)]
    used = {value.basis for value in pooled if value.mean is not None}
    tests = {one.test for one in results.row_comparisons}
    if not used:
        return ""
    lines = [f"Brackets hold {results.confidence * 100:.4g}% confidence intervals."]
    if any(value.runs > 1 for value in pooled):
        runs = sorted({value.runs for value in pooled if value.runs})
        lines.append(
            f"Each value of the tables is the mean of {' to '.join(map(str, _first_and_last(runs)))} runs that"
            " differ only in their seed. The runs ask the same items, so these are not counted as new items:"
            " SE² = mean of the runs' SE² + variance between the runs / number of runs."
            " Such intervals are rather too wide than too narrow."
        )
    lines += [text for basis, text in BASES.items() if basis in used]
    if any(one.difference for one in results.row_comparisons):
        lines.append(PAIRED)
        lines += [text for test, text in TESTS.items() if test in tests]
        lines.append(HOLM)
    return "\n".join(f"- {line}" for line in lines)


# --- Text ----------------------------------------------------------------------------------------


def _first_and_last(ordered: Sequence[int]) -> Iterable[int]:
    return dict.fromkeys((ordered[0], ordered[-1]))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _escape(text: str) -> str:
    """Text that Markdown takes literally, on one line; underscores inside words already are."""
    return re.sub(r"[\\`*|<]|\](?=\()", r"\\\g<0>", " ".join(text.split()))


def _render_table(lines: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its head, padded so that it can be read unrendered."""
    cells = [[_escape(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [" | ".join(map(str.ljust, line, widths)) for line in cells]
    rule = " | ".join("-" * width for width in widths)
    return "\n".join(f"| {row} |" for row in (rows[0], rule, *rows[1:]))
