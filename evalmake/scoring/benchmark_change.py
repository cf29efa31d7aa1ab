"""Before and after, benchmark by benchmark: both scores, their difference, and the verdict on each and on all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.row_comparison import RowComparison, compare_rows, judge_comparisons
from evalmake.scoring.seed_average import Run, SeedAverage, average_seeds
from evalmake.scoring.verdict import NO_MARGIN, Judgement, Margin, Verdict, judge_all, judge_change

BEFORE, AFTER = "before", "after"
SAME = "both sides are the same result"


@dataclass(frozen=True, slots=True)
class ChangedRuns:
    """The runs of one benchmark on both sides; with a `lack`, why they cannot be compared."""

    benchmark: str
    metric: str
    before: Sequence[Run] = ()
    after: Sequence[Run] = ()
    kind: MetricKind = UNKNOWN_KIND
    is_same_result: bool = False  # whether both sides are the very same attempts, or scored the same
    lack: str = ""


@dataclass(frozen=True, slots=True)
class BenchmarkChange:
    """One benchmark compared: after - before."""

    benchmark: str
    metric: str
    kind: MetricKind
    before: SeedAverage
    after: SeedAverage
    comparison: RowComparison
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All benchmarks of one comparison, whose p are adjusted together, and the verdict on all."""

    changes: tuple[BenchmarkChange, ...]
    verdict: Verdict
    confidence: float
    margin: Margin


def compare_changes(
    asked: Sequence[ChangedRuns],
    confidence: float = 0.95,
    margin: Margin = NO_MARGIN,
    names: tuple[str, str] = (BEFORE, AFTER),
) -> ChangeSet:
    """Compare each benchmark, adjust their p by Holm's method, and judge; `names` are those of the two sides."""
    measured = [_measure(one, confidence, names) for one in asked]
    judged = judge_comparisons([one.comparison for one in measured], confidence)
    changes = tuple(
        replace(one, comparison=found, judgement=_judge(runs, one, found, confidence, margin))
        for runs, one, found in zip(asked, measured, judged, strict=True)
    )
    return ChangeSet(changes, judge_all(one.judgement for one in changes), confidence, margin)


def _measure(one: ChangedRuns, confidence: float, names: tuple[str, str]) -> BenchmarkChange:
    """Both scores and their difference, not judged yet. Items are read once, and forgotten afterwards."""
    before, after = ([run.settle(one.metric) for run in side] for side in (one.before, one.after))
    first, second = (average_seeds(one.metric, runs, confidence, one.kind) for runs in (before, after))
    found = _compare(replace(one, before=before, after=after), confidence, names)
    unjudged = Judgement(Verdict.INCONCLUSIVE, "")
    return BenchmarkChange(one.benchmark, one.metric, one.kind, first, second, found, unjudged)


def _compare(one: ChangedRuns, confidence: float, names: tuple[str, str]) -> RowComparison:
    before, after = names
    if one.lack or one.is_same_result:  # the same is no test, so no other p is adjusted for it
        return RowComparison(after, one.benchmark, before, one.metric, note=one.lack or SAME)
    return compare_rows(after, one.benchmark, before, one.metric, one.after, one.before, confidence, one.kind)


def _judge(
    one: ChangedRuns, change: BenchmarkChange, found: RowComparison, confidence: float, margin: Margin
) -> Judgement:
    if one.is_same_result and not one.lack:
        return Judgement(Verdict.PASS, SAME)
    values = [side.mean for side in (change.before, change.after) if side.mean is not None]
    return judge_change(found, one.kind, confidence, margin, values)
