"""What the evaluations of a build came to, and the table a report makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from evalmake.project.column_groups import ColumnGroup
from evalmake.scoring.comparisons import Difference
from evalmake.scoring.gates import GateResult, Requirement, judge_gate
from evalmake.scoring.group_average import Column, average_group, find_group_columns
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import Item
from evalmake.scoring.lack import Lack, know_no_lack
from evalmake.scoring.notes import Note, find_notes
from evalmake.scoring.result import (
    FIELDS,
    SECONDS_ON,
    Result,
    Scalar,
    distinct_runs,
    divide_by_metric,
    machine_seconds,
)
from evalmake.scoring.row_comparison import RowComparison, compare_rows, judge_comparisons
from evalmake.scoring.row_settings import find_differences, find_unlike_rows
from evalmake.scoring.sample_counts import asks_all_once
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run, SeedAverage, average_seeds
from evalmake.scoring.stopping import is_sequential
from evalmake.scoring.table_sections import TableSection, divide_table
from evalmake.scoring.tagged_results import TAG, choose_tagged, divide_by_tag

__all__ = [
    "SECONDS_ON",
    "Difference",
    "GateResult",
    "Item",
    "Lack",
    "Requirement",
    "Result",
    "ResultSet",
    "RowComparison",
    "Run",
    "Scalar",
    "Score",
    "ScoreTable",
    "SeedAverage",
    "TableCell",
    "average_seeds",
    "distinct_runs",
    "judge_gate",
    "machine_seconds",
]


@dataclass(frozen=True, slots=True)
class TableCell:
    """One entry of a table: one metric, pooled over the seeds."""

    row: str
    column: str
    metric: str
    average: SeedAverage
    confidence: float  # of its interval
    kind: MetricKind = UNKNOWN_KIND


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Rows, columns and the headline cell of each pair that has one, in the order of the results."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], TableCell]
    others: tuple[TableCell, ...]  # every metric but the headline one, in the same order
    averages: Mapping[tuple[str, str], TableCell]  # of each row and group of columns, for the report's groups
    sections: tuple[TableSection, ...]  # at least one, if there is a row


_OF_SEVERAL = frozenset({"seeds", "items", "models", "fingerprints", "unlike"})
"""Codes of notes that only several results together give reason for."""


def read_no_items(result: Result) -> None:
    """The items of a result that left none."""


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
    read_items: Callable[[Result], Sequence[Item] | None] = read_no_items
    row_comparisons: tuple[RowComparison, ...] = ()
    groups: tuple[ColumnGroup, ...] = ()  # the columns that each row also has, over others
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)  # names of columns, or of rows, by title
    read_lack: Callable[[str], Lack] = know_no_lack  # why a cell in `missing` has no result

    def average(self, metric: str, results: Sequence[Result]) -> SeedAverage:
        """The average of a metric over results that differ only in their seed; that of the headline has all notes."""
        kind = _find_kind(metric, results)
        found = average_seeds(metric, map(self.run_of, results), self.confidence_of(results), kind)
        told = find_notes(results) if metric == results[0].metric else ()
        return replace(found, notes=(*found.notes, *told))

    def collect_notes(self) -> dict[str, tuple[Note, ...]]:
        """The notes on each result's headline, by its name: its own, and those of its cell on several results."""
        if self.is_tagged or self.is_by_metric:
            return replace(self, rows="model", column="benchmark").collect_notes()
        cells, found = self.table().cells, {}
        for place, results in self.divide_into_cells().items():
            shared = [note for note in cells[place].average.notes if note.code in _OF_SEVERAL]
            for result in results:
                own = self.average(result.metric, [result]).notes
                known = {note.code for note in own}
                found[result.name] = (*own, *(note for note in shared if note.code not in known))
        return found

    def estimate_scores(self, result: Result) -> tuple[Score, ...]:
        """The scores of one result with the standard errors and intervals that its tables have."""
        return tuple(self._estimate(score, result) for score in result.scores)

    def _estimate(self, score: Score, result: Result) -> Score:
        found = self.average(score.metric, [result])
        return replace(score, stderr=found.stderr, low=found.low, high=found.high)

    def confidence_of(self, results: Sequence[Result]) -> float:
        """The confidence of the interval of these results: the one of their eval, or else of the project."""
        return results[0].confidence or self.confidence

    def run_of(self, result: Result) -> Run:
        """What comparisons and averages know of a result."""
        distinct = asks_all_once(result.usage)
        return Run(
            result.scores,
            partial(self._read_items_of, result),
            result.harness,
            distinct,
            sequential=is_sequential(result.usage),
        )

    def _read_items_of(self, result: Result) -> Sequence[Item] | None:
        """The items of a result; of a part that was divided off by a tag, those with this tag."""
        items = self.read_items(result)
        return choose_tagged(items, result.tag) if result.tag else items

    @property
    def is_tagged(self) -> bool:
        """Whether its table has a row or a column for each tag."""
        return TAG in (self.rows, self.column)

    @property
    def is_by_metric(self) -> bool:
        """Whether its table has a row or a column for each metric."""
        return "metric" in (self.rows, self.column)

    def with_comparisons(self) -> ResultSet:
        """With every row's headline score against that of the row `compare`, column by column.

        A row that is divided by another axis is compared with the part of the baseline that has the same
        values there.
        """
        groups = self.divide_into_cells()
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
                found.append(self._compare(label, column, results, base))
        return replace(self, row_comparisons=judge_comparisons(found, self.confidence))

    def _compare(
        self, row: str, column: str, results: Sequence[Result], base: tuple[str, Sequence[Result]] | None
    ) -> RowComparison:
        metric = results[0].metric
        if base is None:
            note = f"{self.compare} has no result that is otherwise alike"
            return RowComparison(row, column, self.compare, metric, note=note)
        label, others = base
        if others[0].metric != metric:
            note = f"{label} has another headline metric, {others[0].metric}"
            return RowComparison(row, column, label, metric, note=note)
        ours, theirs = ([self.run_of(result) for result in side] for side in (results, others))
        found = compare_rows(row, column, label, metric, ours, theirs, self.confidence, results[0].kind)
        return replace(found, differences=find_differences(results, others, self.rows))

    def table(self) -> ScoreTable:
        """Pool the seeds of each (row, column) pair.

        Only seeds are ever pooled.  Where results of one pair differ in anything else (another
        axis, the eval, the metric), the row is divided: "qwen2.5-7b (temperature=0.7)".
        """
        groups = self.divide_into_cells()
        unlike = {} if self.compare or self.rows != "model" else find_unlike_rows(groups)
        cells, others = {}, []
        for (row, column), results in groups.items():
            headline = results[0].metric
            cell = self._cell(row, column, headline, results)
            told = replace(cell.average, notes=(*cell.average.notes, *unlike.get((row, column), ())))
            cells[row, column] = replace(cell, average=told)
            names = () if self.is_by_metric else _list_metrics(results)
            others += [self._cell(row, column, m, results) for m in names if m != headline]
        rows, columns = (tuple(dict.fromkeys(pair[i] for pair in groups)) for i in (0, 1))
        averages = {
            (row, group.name): self._average_group(row, group, columns, groups, cells)
            for row in rows
            for group in self.groups
        }
        sections = divide_table(rows, columns, self.groups, self.sections)
        return ScoreTable(rows, columns, cells, tuple(others), averages, sections)

    def _average_group(
        self,
        row: str,
        group: ColumnGroup,
        columns: Sequence[str],
        groups: Mapping[tuple[str, str], Sequence[Result]],
        cells: Mapping[tuple[str, str], TableCell],
    ) -> TableCell:
        """A row's columns of one group taken together; without a value for a row that lacks one of them."""
        wanted = find_group_columns(group, columns)
        found = {name: (cells[row, name], groups[row, name]) for name in wanted if (row, name) in cells}
        levels = {cell.confidence for cell, _ in found.values()} or {self.confidence}
        level = min(levels)
        if lacking := [name for name in wanted if name not in found]:
            average = SeedAverage(None, lack=f"{', '.join(lacking)} has no result")
        elif len(levels) > 1:
            average = SeedAverage(None, lack="the confidence of its columns differs")
        else:
            asked = [self._make_column(name, results) for name, (_, results) in found.items()]
            average = average_group(group.form, asked, list(wanted.values()), level)
        kinds = {cell.kind for cell, _ in found.values()}
        kind = kinds.pop() if len(kinds) == 1 else UNKNOWN_KIND
        return TableCell(row, group.name, group.form, average, level, kind)

    def _make_column(self, name: str, results: Sequence[Result]) -> Column:
        return Column(
            name,
            results[0].metric,
            tuple(map(self.run_of, results)),
            results[0].kind,
            frozenset(result.benchmark for result in results),
        )

    def _cell(self, row: str, column: str, metric: str, results: Sequence[Result]) -> TableCell:
        average, confidence = self.average(metric, results), self.confidence_of(results)
        return TableCell(row, column, metric, average, confidence, _find_kind(metric, results))

    def divide_into_cells(self) -> dict[tuple[str, str], list[Result]]:
        """The results of each cell of the table, by its row and column: they differ in their seed alone."""
        rows: dict[str, list[Result]] = {}
        for result in self._divide_results():
            rows.setdefault(result.coordinate(self.rows), []).append(result)
        groups: dict[tuple[str, str], list[Result]] = {}
        for row, results in rows.items():
            differing = self._differing(results)
            for result in results:
                apart = ", ".join(f"{name}={result.coordinate(name)}" for name in differing)
                label = f"{row} ({apart})" if apart else row
                groups.setdefault((label, result.coordinate(self.column)), []).append(result)
        return groups

    def _divide_results(self) -> Sequence[Result]:
        """The results; those of tables by tag or metric, divided by them."""
        parts = divide_by_tag(self.results, self.read_items) if self.is_tagged else self.results
        return divide_by_metric(parts) if self.is_by_metric else parts

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


def _list_metrics(results: Iterable[Result]) -> dict[str, None]:
    return dict.fromkeys(score.metric for result in results for score in result.scores)


def _find_kind(metric: str, results: Sequence[Result]) -> MetricKind:
    """What is stated of a metric: of the headline alone."""
    return results[0].kind if metric == results[0].metric else UNKNOWN_KIND
