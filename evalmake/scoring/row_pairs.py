"""Any two rows of a table compared, column by column, each pair as a family of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from evalmake.scoring.item import Key, collect_answers
from evalmake.scoring.paired_items import Outcomes
from evalmake.scoring.result import Result
from evalmake.scoring.result_set import ResultSet
from evalmake.scoring.row_comparison import RowComparison, compare_rows, judge_comparisons
from evalmake.scoring.row_settings import find_differences
from evalmake.scoring.verdict import NO_MARGIN, Judgement, judge_change

MOST_PAIRS = 200
Cells = Mapping[tuple[str, str], Sequence[Result]]


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """Two rows in one column, and the verdicts on either as the one that is to be better."""

    found: RowComparison
    verdict: Judgement
    reverse: Judgement


@dataclass(frozen=True, slots=True)
class RowPair:
    """`row` - `baseline`, in every column that both have."""

    row: str
    baseline: str
    columns: tuple[ColumnComparison, ...]


def compare_row_pairs(results: ResultSet) -> Iterator[RowPair]:
    """Every pair of rows, each row against those above it; of very many rows, each against the first alone."""
    cells = results.divide_into_cells()
    rows = list(dict.fromkeys(row for row, _ in cells))
    pairs: Iterable[tuple[str, str]] = combinations(rows, 2)
    if len(rows) * (len(rows) - 1) // 2 > MOST_PAIRS:
        first = next((row for row in rows if row == results.compare), rows[0])
        pairs = ((first, row) for row in rows if row != first)
    for baseline, row in pairs:
        if columns := _compare(results, cells, row, baseline):
            yield RowPair(row, baseline, columns)


def _compare(results: ResultSet, cells: Cells, row: str, baseline: str) -> tuple[ColumnComparison, ...]:
    columns = [column for one, column in cells if one == row and (baseline, column) in cells]
    found = [_compare_cells(results, cells[row, column], cells[baseline, column], row, baseline) for column in columns]
    judged = judge_comparisons(found, results.confidence)
    return tuple(_judge(results, one, (*cells[row, one.column], *cells[baseline, one.column])) for one in judged)


def _compare_cells(
    results: ResultSet, ours: Sequence[Result], theirs: Sequence[Result], row: str, baseline: str
) -> RowComparison:
    metric, column = ours[0].metric, ours[0].coordinate(results.column)
    if theirs[0].metric != metric:
        note = f"{baseline} has another headline metric, {theirs[0].metric}"
        return RowComparison(row, column, baseline, metric, note=note)
    a, b = ([results.run_of(result) for result in side] for side in (ours, theirs))
    found = compare_rows(row, column, baseline, metric, a, b, results.confidence, ours[0].kind)
    return replace(found, differences=find_differences(ours, theirs, results.rows))


def _judge(results: ResultSet, found: RowComparison, both: Sequence[Result]) -> ColumnComparison:
    scores = (result.score(found.metric) for result in both)
    values = [score.value for score in scores if score and score.value is not None]
    kind = both[0].kind
    return ColumnComparison(
        found,
        judge_change(found, kind, results.confidence, NO_MARGIN, values),
        judge_change(_reverse(found), kind, results.confidence, NO_MARGIN, values),
    )


def _reverse(found: RowComparison) -> RowComparison:
    """The same with the baseline as the row."""
    difference, outcomes = found.difference, found.outcomes
    if difference is not None:
        interval = difference.interval and (-difference.interval[1], -difference.interval[0])
        difference = replace(difference, mean=-difference.mean, interval=interval)
    turned = outcomes and Outcomes(outcomes.lower, outcomes.higher, outcomes.same)
    return replace(found, row=found.baseline, baseline=found.row, difference=difference, outcomes=turned)


def find_leaders(results: ResultSet, pairs: Iterable[RowPair]) -> dict[str, str]:
    """By column, the row that is shown to be better than every other row in it, where there is one."""
    cells = results.divide_into_cells()
    beaten: dict[tuple[str, str], set[str]] = {}
    for pair in pairs:
        for one in pair.columns:
            found = one.found
            if found.difference and found.significant:
                is_less = (found.difference.mean < 0) != (cells[pair.row, found.column][0].kind.better == "lower")
                better, worse = (pair.baseline, pair.row) if is_less else (pair.row, pair.baseline)
                beaten.setdefault((better, found.column), set()).add(worse)
    others: dict[str, int] = {}
    for _, column in cells:
        others[column] = others.get(column, -1) + 1
    return {column: row for (row, column), worse in beaten.items() if len(worse) == others[column]}


def average_items_of_cell(results: ResultSet, cell: Sequence[Result]) -> dict[Key, float] | None:
    """The mean score of each item of a cell, as comparisons of its row take it; None if it left none."""
    metric = cell[0].metric
    runs = [results.run_of(result).items(metric) for result in cell]
    known = [items for items in runs if items is not None]
    if len(known) < len(runs):
        return None
    return {key: one.mean for key, one in collect_answers(known, metric).items() if one.values}
