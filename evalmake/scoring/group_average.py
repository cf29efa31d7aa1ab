"""Several columns of a row taken together: their average, that of all their items, or the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evalmake.project.column_groups import ColumnGroup, GroupForm
from evalmake.scoring.column_average import average_columns
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import average_items
from evalmake.scoring.notes import Note
from evalmake.scoring.seed_average import Run, SeedAverage, average_seeds
from evalmake.scoring.shared_items import AskedColumn, correlate_columns

_SCALES = {"share": "goes from 0 to 1", "percent": "goes from 0 to 100", "points": "is in points"}
_BETTER = {"higher": "is better if higher", "lower": "is better if lower"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row: its runs, which differ only in their seed, and the metric that it shows."""

    name: str
    metric: str
    runs: tuple[Run, ...]
    kind: MetricKind = UNKNOWN_KIND
    benchmarks: frozenset[str] = frozenset()

    def average(self, confidence: float) -> SeedAverage:
        """Its mean over the seeds, with the interval at a confidence."""
        return average_seeds(self.metric, self.runs, confidence, self.kind)


def average_group(form: GroupForm, columns: Sequence[Column], weights: Sequence[float], level: float) -> SeedAverage:
    """The columns taken together; without a mean, `lack` says why there is none."""
    found = [column.average(level) for column in columns]
    without = [column.name for column, one in zip(columns, found, strict=True) if one.mean is None]
    if not columns or without:
        return SeedAverage(None, lack=f"{', '.join(without)} has no value" if without else "it has no columns")
    if lack := describe_unlike_scales(columns, found):
        return SeedAverage(None, lack=lack)
    if form == "best":
        return _find_best(columns, level)
    if form == "pooled":
        counts = [_count_items(column, one) for column, one in zip(columns, found, strict=True)]
        if not all(counts):
            unknown = next(column.name for column, count in zip(columns, counts, strict=True) if not count)
            return SeedAverage(None, lack=f"it is not known how many items {unknown} has")
        weights = counts
    asked = [AskedColumn(column.metric, column.runs, column.benchmarks) for column in columns]
    correlations = correlate_columns(asked)
    note = Note("shared", "its columns share items, so their errors are not independent")
    pooled = average_columns(found, weights, correlations)
    return replace(pooled, notes=(note,)) if correlations else pooled


def _count_items(column: Column, found: SeedAverage) -> int:
    """How many items a column has; samples where no items are on record."""
    items = [run.items(column.metric) for run in column.runs]
    left = [one for one in items if one is not None]
    mean = average_items(left, column.metric) if left and len(left) == len(items) else None
    return mean.items if mean else found.samples


def _find_best(columns: Sequence[Column], level: float) -> SeedAverage:
    """The best mean.

    All k intervals at the confidence 1 - alpha/k hold with at least 1 - alpha (Bonferroni), however the columns hang
    together, and then the best true score lies between the best of the lower ends and the best of the upper ones.
    """
    best = min if columns[0].kind.better == "lower" else max
    found = [column.average(1 - (1 - level) / len(columns)) for column in columns]
    mean = best(one.mean for one in found if one.mean is not None)
    lows = [one.low for one in found if one.low is not None]
    highs = [one.high for one in found if one.high is not None]
    if len(lows) < len(found) or len(highs) < len(found):
        return SeedAverage(mean, lack="not every column has an interval")
    basis = found[0].basis if len({one.basis for one in found}) == 1 else "mean"
    return SeedAverage(mean, None, best(lows), best(highs), basis=basis)


def describe_unlike_scales(columns: Sequence[Column], found: Sequence[SeedAverage]) -> str:
    """Why the columns cannot be taken together: other scales, or directions; empty if they can."""
    if len(columns) < 2:
        return ""
    if unlike := describe_unlike_kinds({column.name: column.kind for column in columns}):
        return unlike
    benchmarks = frozenset().union(*(column.benchmarks for column in columns))
    if len(benchmarks) == 1 and len({column.metric for column in columns}) == 1:
        return ""
    for column, one in zip(columns, found, strict=True):
        if column.kind.scale == "points":
            return f"{column.name} is in points, which are a scale of its own"
        if column.kind.scale is None and one.mean is not None and not 0 <= one.mean <= 1:
            return f"{column.name} is not from 0 to 1, and so on a scale of its own"
        if column.kind.scale == "percent" and any(other.kind.scale is None for other in columns):
            unstated = next(other.name for other in columns if other.kind.scale is None)
            return f"{column.name} goes from 0 to 100, and {unstated} states no `scale`"
    return ""


def describe_unlike_kinds(kinds: Mapping[str, MetricKind]) -> str:
    """What benchmarks state otherwise of each other's metrics, by the names of columns; empty if they agree."""
    scales = {name: _SCALES.get(kind.scale or "") for name, kind in kinds.items()}
    directions = {name: _BETTER.get(kind.better or "") for name, kind in kinds.items()}
    for words in (scales, directions):
        stated = [(name, text) for name, text in words.items() if text]
        other = next(((name, text) for name, text in stated if text != stated[0][1]), None)
        if other:
            return f"{stated[0][0]} {stated[0][1]}, and {other[0]} {other[1]}"
    return ""


def find_group_columns(group: ColumnGroup, columns: Sequence[str]) -> dict[str, float]:
    """The columns of a group with their weights: those that it names, or else all."""
    return dict(group.weights) if group.weights is not None else dict.fromkeys(columns, 1.0)
