"""What the evaluations of a build came to, and the table a report makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose

from evalmake.scoring.gates import GateResult, judge_gate
from evalmake.scoring.row_comparison import Item, RowComparison, adjust_p_values, average_items, compare_rows
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import SeedAverage, average_seeds

__all__ = [
    "SECONDS_ON",
    "GateResult",
    "Item",
    "Result",
    "ResultSet",
    "RowComparison",
    "Scalar",
    "Score",
    "ScoreTable",
    "SeedAverage",
    "TableCell",
    "average_seeds",
    "judge_gate",
    "machine_seconds",
]

Scalar = str | int | float | bool
FIELDS = ("model", "benchmark", "eval", "metric")


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of one evaluation: one cell of the matrix, one seed."""

    name: str  # its path: "grid/qwen2.5-7b/gsm8k/1"
    eval: str
    axes: tuple[tuple[str, Scalar], ...]
    model: str
    benchmark: str
    seed: int
    metric: str  # the headline one
    scores: tuple[Score, ...]
    action: str  # the digest's text
    attempt: int  # the attempt that counts, from 1
    attempts: int  # all there were
    reused: bool  # not run by this build
    started: str  # ISO 8601, UTC
    seconds: float
    usage: Mapping[str, float]  # requests, tokens and seconds, by kind

    def score(self, metric: str) -> Score | None:
        """The score of one metric, or None if the harness did not report it."""
        return next((score for score in self.scores if score.metric == metric), None)

    def coordinate(self, axis: str) -> str:
        """The value on an axis, or the model, benchmark, eval, metric or seed; "-" if it has none."""
        value = dict(self.axes).get(axis, "-")
        if axis in (*FIELDS, "seed"):
            value = getattr(self, axis)
        return str(value).lower() if isinstance(value, bool) else str(value)


SECONDS_ON = "seconds_on_"
"""Before a machine's shape, of usage: how long one of that shape was had."""


def machine_seconds(results: Iterable[Result]) -> dict[str, float]:
    """How long machines were had for these, in seconds, by their shapes, where these are known."""
    took: dict[str, float] = {}
    for result in results:
        for kind, seconds in result.usage.items():
            if kind.startswith(SECONDS_ON):
                shape = kind.removeprefix(SECONDS_ON)
                took[shape] = took.get(shape, 0.0) + seconds
    return dict(sorted(took.items()))


@dataclass(frozen=True, slots=True)
class TableCell:
    """One entry of a table: one metric, pooled over the seeds."""

    row: str
    column: str
    metric: str
    average: SeedAverage


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Rows, columns and the headline cell of each pair that has one, in the order of the results."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], TableCell]
    others: tuple[TableCell, ...]  # every metric but the headline one, in the same order


@dataclass(frozen=True, slots=True)
class ResultSet:
    """Everything a report may tell."""

    title: str
    results: tuple[Result, ...]
    gates: tuple[GateResult, ...]
    missing: tuple[str, ...]  # the cells without a result
    plan: str  # the digest's text
    rows: str = "model"
    column: str = "benchmark"
    confidence: float = 0.95
    compare: str = ""  # the row that the others are compared with, by its name
    row_comparisons: tuple[RowComparison, ...] = ()

    def with_comparisons(self, items: Callable[[Result], Sequence[Item] | None]) -> ResultSet:
        """With every row's headline score against that of the row `compare`, column by column.

        `items` are the items of a result, or None where it left none.  A row that is divided by
        another axis is compared with the part of the baseline that has the same values there.
        """
        groups = self._groups()
        bases = {
            (column, label.removeprefix(self.compare)): (label, results)
            for (label, column), results in groups.items()
            if results[0].coordinate(self.rows) == self.compare
        }
        found = []
        for (label, column), results in groups.items():
            name = results[0].coordinate(self.rows)
            if name != self.compare:
                alone = [base for (place, _), base in bases.items() if place == column]
                base = bases.get((column, label.removeprefix(name)))
                base = alone[0] if base is None and len(alone) == 1 else base
                found.append(self._contrast(label, column, results, base, items))
        return replace(self, row_comparisons=adjust_p_values(found))

    def _contrast(
        self,
        row: str,
        column: str,
        results: Sequence[Result],
        base: tuple[str, Sequence[Result]] | None,
        items: Callable[[Result], Sequence[Item] | None],
    ) -> RowComparison:
        metric = results[0].metric
        if base is None:
            note = f"{self.compare} has no result that is otherwise alike"
            return RowComparison(row, column, self.compare, metric, note=note)
        label, others = base
        sides = []
        for result in (*results, *others):
            found, score = items(result), result.score(metric)
            mean = average_items(found, metric) if found else None
            if found is None or mean is None:
                note = f"{result.name} left no {metric} of single items"
            elif score is None or score.value is None or not isclose(mean, score.value, abs_tol=1e-6):
                note = f"the {metric} of {result.name} is not the mean of its items"
            else:
                sides.append(found)
                continue
            return RowComparison(row, column, label, metric, note=note)
        ours, theirs = sides[: len(results)], sides[len(results) :]
        return compare_rows(row, column, label, metric, ours, theirs, self.confidence)

    def table(self) -> ScoreTable:
        """Pool the seeds of each (row, column) pair.

        Only seeds are ever pooled.  Where results of one pair differ in anything else (another
        axis, the eval, the metric), the row is divided: "qwen2.5-7b (temperature=0.7)".
        """
        groups = self._groups()
        cells, others = {}, []
        for (row, column), results in groups.items():
            headline = results[0].metric
            cells[row, column] = self._cell(row, column, headline, results)
            names = dict.fromkeys(score.metric for result in results for score in result.scores)
            others += [self._cell(row, column, m, results) for m in names if m != headline]
        rows, columns = (tuple(dict.fromkeys(pair[i] for pair in groups)) for i in (0, 1))
        return ScoreTable(rows, columns, cells, tuple(others))

    def _cell(self, row: str, column: str, metric: str, results: Sequence[Result]) -> TableCell:
        scores = [score for result in results if (score := result.score(metric))]
        return TableCell(row, column, metric, average_seeds(scores, self.confidence))

    def _groups(self) -> dict[tuple[str, str], list[Result]]:
        rows: dict[str, list[Result]] = {}
        for result in self.results:
            rows.setdefault(result.coordinate(self.rows), []).append(result)
        groups: dict[tuple[str, str], list[Result]] = {}
        for row, results in rows.items():
            differing = self._differing(results)
            for result in results:
                apart = ", ".join(f"{name}={result.coordinate(name)}" for name in differing)
                label = f"{row} ({apart})" if apart else row
                groups.setdefault((label, result.coordinate(self.column)), []).append(result)
        return groups

    def _differing(self, results: Sequence[Result]) -> list[str]:
        """What must be added to a row's name so that only seeds are left to pool."""
        axes = [name for result in results for name, _ in result.axes]
        known = [self.column]
        for name in dict.fromkeys([*axes, *FIELDS]):
            if name in (self.rows, self.column, "seed"):
                continue
            seen: dict[tuple[str, ...], set[str]] = {}
            for result in results:
                place = tuple(result.coordinate(axis) for axis in known)
                seen.setdefault(place, set()).add(result.coordinate(name))
            if any(len(values) > 1 for values in seen.values()):
                known.append(name)
        return known[1:]
