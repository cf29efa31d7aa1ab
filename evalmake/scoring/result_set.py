"""What the evaluations of a build came to, and the table a report makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from evalmake.scoring.column_average import average_columns
from evalmake.scoring.comparisons import Difference
from evalmake.scoring.gates import GateResult, Requirement, judge_gate
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import Item
from evalmake.scoring.notes import Note, find_notes
from evalmake.scoring.row_comparison import RowComparison, compare_rows, judge_comparisons
from evalmake.scoring.sample_counts import REPEATED
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run, SeedAverage, average_seeds

__all__ = [
    "SECONDS_ON",
    "Difference",
    "GateResult",
    "Item",
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
    harness: str = ""
    confidence: float | None = None  # of the eval, where it asks for one of its own
    settings: Mapping[str, str] = field(default_factory=dict)  # limit, sampling, prompt, adapter, as text
    facts: Mapping[str, str] = field(default_factory=dict)  # texts of its record
    seeds: tuple[int, int] = (1, 1)  # of its cell: how many have a result, of how many
    kind: MetricKind = UNKNOWN_KIND  # scale and direction of the headline metric

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


def distinct_runs(results: Iterable[Result]) -> list[Result]:
    """One result of each run: evaluations that share one were asked, and paid for, once."""
    return list({(result.action, result.attempt): result for result in results}.values())


def machine_seconds(results: Iterable[Result]) -> dict[str, float]:
    """How long machines were had for these, in seconds, by their shapes, where these are known."""
    took: dict[str, float] = {}
    for result in distinct_runs(results):
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
    confidence: float  # of its interval
    kind: MetricKind = UNKNOWN_KIND


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Rows, columns and the headline cell of each pair that has one, in the order of the results."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], TableCell]
    others: tuple[TableCell, ...]  # every metric but the headline one, in the same order
    averages: Mapping[str, TableCell]  # of each row over its columns, if wanted


_MOST_SETTINGS = 4  # that a note names
_OF_SEVERAL = frozenset({"seeds", "items", "models", "fingerprints", "unlike"})
"""Codes of notes that only several results together give reason for."""
AVERAGE = "average"
"""The name of the column of averages over the columns."""


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
    average_columns: bool = False  # whether each row has the average of its columns

    def average(self, metric: str, results: Sequence[Result]) -> SeedAverage:
        """The average of a metric over results that differ only in their seed; that of the headline has all notes."""
        kind = _find_kind(metric, results)
        found = average_seeds(metric, map(self.run_of, results), self.confidence_of(results), kind)
        told = find_notes(results) if metric == results[0].metric else ()
        return replace(found, notes=(*found.notes, *told))

    def collect_notes(self) -> dict[str, tuple[Note, ...]]:
        """The notes on each result's headline, by its name: its own, and those of its cell on several results."""
        cells, found = self.table().cells, {}
        for place, results in self._groups().items():
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
        distinct = result.usage.get(REPEATED) == 0
        return Run(result.scores, partial(self.read_items, result), result.harness, distinct)

    def with_comparisons(self) -> ResultSet:
        """With every row's headline score against that of the row `compare`, column by column.

        A row that is divided by another axis is compared with the part of the baseline that has the same
        values there.
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
        return replace(found, differences=find_differences(results, others))

    def table(self) -> ScoreTable:
        """Pool the seeds of each (row, column) pair.

        Only seeds are ever pooled.  Where results of one pair differ in anything else (another
        axis, the eval, the metric), the row is divided: "qwen2.5-7b (temperature=0.7)".
        """
        groups = self._groups()
        unlike = {} if self.compare or self.rows != "model" else find_unlike_rows(groups)
        cells, others = {}, []
        for (row, column), results in groups.items():
            headline = results[0].metric
            cell = self._cell(row, column, headline, results)
            told = replace(cell.average, notes=(*cell.average.notes, *unlike.get((row, column), ())))
            cells[row, column] = replace(cell, average=told)
            names = dict.fromkeys(score.metric for result in results for score in result.scores)
            others += [self._cell(row, column, m, results) for m in names if m != headline]
        rows, columns = (tuple(dict.fromkeys(pair[i] for pair in groups)) for i in (0, 1))
        return ScoreTable(rows, columns, cells, tuple(others), self._average_rows(rows, columns, cells))

    def _average_rows(
        self, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], TableCell]
    ) -> dict[str, TableCell]:
        """The average of each row over all columns; one without a value for a row that lacks a column."""
        averages = {}
        for row in rows if self.average_columns else ():
            found = [cells[row, column] for column in columns if (row, column) in cells]
            alike = len(found) == len(columns) and len({cell.confidence for cell in found}) == 1
            average = average_columns([cell.average for cell in found]) if alike else SeedAverage(None)
            averages[row] = TableCell(row, AVERAGE, AVERAGE, average, found[0].confidence)
        return averages

    def _cell(self, row: str, column: str, metric: str, results: Sequence[Result]) -> TableCell:
        average, confidence = self.average(metric, results), self.confidence_of(results)
        return TableCell(row, column, metric, average, confidence, _find_kind(metric, results))

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


def _find_kind(metric: str, results: Sequence[Result]) -> MetricKind:
    """What is stated of a metric: of the headline alone."""
    return results[0].kind if metric == results[0].metric else UNKNOWN_KIND


def find_unlike_rows(groups: Mapping[tuple[str, str], Sequence[Result]]) -> dict[tuple[str, str], list[Note]]:
    """A note for each entry of a table whose limit, sampling or prompt is not that of most rows beside it.

    Rows of another benchmark, or with another value of an axis, are unlike by their names and say it there.
    """
    alike: dict[Hashable, list[tuple[str, str]]] = {}
    for place, results in groups.items():
        named = [pair for pair in results[0].axes if pair[0] not in ("model", "seed")]
        alike.setdefault((place[1], results[0].benchmark, *named), []).append(place)
    found: dict[tuple[str, str], list[Note]] = {}
    for places in alike.values():
        every = [_settings_of_row(groups[place]) for place in places]
        for place, differing in zip(places, _list_unlike(every), strict=True):
            if differing:
                found[place] = [Note("unlike", f"unlike other rows: {', '.join(differing)}")]
    return found


def _settings_of_row(results: Sequence[Result]) -> dict[str, str]:
    """What was asked of a model; of its own declaration only the parameters, as it may need its own adapter."""
    settings = results[0].settings
    return {
        name: text
        for name, text in settings.items()
        if not name.startswith("the model's ") or name.startswith("the model's adapter.params")
    }


def _list_unlike(rows: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """For each row, the settings in which it differs from most others: "limit 10 (others 30)"."""
    texts: list[list[str]] = [[] for _ in rows]
    for name in dict.fromkeys(name for settings in rows for name in settings):
        values = [settings.get(name, "none") for settings in rows]
        for at in _find_odd(values):
            others = ", ".join(sorted({*values} - {values[at]}))
            texts[at].append(f"{name} {values[at]} (others {others})")
    return [
        [*found[:_MOST_SETTINGS], *([f"{len(found) - _MOST_SETTINGS} more"] if len(found) > _MOST_SETTINGS else [])]
        for found in texts
    ]


def _find_odd(values: Sequence[str]) -> list[int]:
    """The places of values that differ from the commonest one; both of two, and the first where none is commonest."""
    counts = Counter(values).most_common(2)
    if len(counts) < 2 or len(values) == 2:
        return list(range(len(values))) if len(counts) == 2 else []
    if counts[0][1] == counts[1][1]:
        return [0]
    return [at for at, value in enumerate(values) if value != counts[0][0]]


def find_differences(ours: Sequence[Result], theirs: Sequence[Result]) -> tuple[str, ...]:
    """What was asked otherwise of the two: "limit 10 against 30"; a setting that one side has not is `none`."""
    sides = [[result.settings for result in side] for side in (ours, theirs)]
    names = dict.fromkeys(name for side in sides for settings in side for name in settings)
    texts = []
    for name in names:
        one, other = (", ".join(sorted({settings.get(name, "none") for settings in side})) for side in sides)
        if one != other:
            texts.append(f"{name} {one} against {other}")
    seeds = [sorted({result.seed for result in side}) for side in (ours, theirs)]
    if len(seeds[0]) != len(seeds[1]):
        texts.append(f"{len(seeds[0])} seeds against {len(seeds[1])}")
    return tuple(texts)
