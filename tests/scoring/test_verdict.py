"""The verdict on before and after: its boundaries, its reasons, and how many items would decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from evalmake.scoring.benchmark_change import BenchmarkChange, ChangedRuns, ChangeSet, compare_changes
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import Item, average_items
from evalmake.scoring.sample_size import find_size, find_size_without_losses
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run
from evalmake.scoring.verdict import NO_MARGIN, Judgement, Margin, Verdict, format_p, judge_all
from tests.scoring.vectors import VECTORS, exactly

CHANGES = VECTORS["paired_changes"]


def run_of(scores: Sequence[float], prefix: str = "q", metric: str = "accuracy") -> Run:
    """A run that left an item for each score."""
    items = [Item(f"{prefix}{at}", f"{prefix} {at}", {metric: score}) for at, score in enumerate(scores)]
    found = average_items([items], metric)
    assert found is not None
    return Run((Score(metric, found.mean, found.stderr, scored=len(items)),), lambda: items)


def runs_of(higher: int, lower: int, n: int) -> tuple[Run, Run]:
    """Before and after, of which so many items are better and worse after; half of the others are right."""
    same = n - higher - lower
    alike = [1.0] * (same // 2) + [0.0] * (same - same // 2)
    return run_of([0.0] * higher + [1.0] * lower + alike), run_of([1.0] * higher + [0.0] * lower + alike)


def change(
    higher: int, lower: int, n: int, margin: Margin = NO_MARGIN, kind: MetricKind = UNKNOWN_KIND
) -> BenchmarkChange:
    """One benchmark compared."""
    before, after = runs_of(higher, lower, n)
    asked = ChangedRuns("sums", "accuracy", [before], [after], kind)
    return compare_changes([asked], margin=margin).changes[0]


@pytest.mark.parametrize("row", CHANGES)
def test_numbers_are_those_of_statsmodels_and_scipy(row: dict[str, Any]) -> None:
    """Difference, error and p are McNemar's of statsmodels, the interval Tango's by scipy, n a power calculation's."""
    found = change(row["higher"], row["lower"], row["n"])
    difference = found.comparison.difference
    assert difference is not None
    assert difference.mean == exactly(row["difference"])
    assert difference.stderr == exactly(row["stderr"])
    assert difference.p == exactly(row["p_mcnemar"])
    assert difference.interval == pytest.approx(row["tango"], abs=1e-6)
    size = find_size(row["n"], row["stderr"], abs(row["difference"]), row["difference"], 0.05)
    assert size is not None
    assert size.times * row["n"] == pytest.approx(row["n_for_difference"], rel=1e-9)
    if row["n_for_margin"]:
        size = find_size(row["n"], row["stderr"], row["margin"] + row["difference"], row["difference"], 0.05)
        assert size is not None
        assert size.times * row["n"] == pytest.approx(row["n_for_margin"], rel=1e-9)


@pytest.mark.parametrize("row", VECTORS["unpaired_changes"])
def test_other_items_have_newcombes_interval(row: dict[str, Any]) -> None:
    """Sides without a common item are compared as unrelated, with the interval of statsmodels, and so marked."""
    sides = [
        run_of([1.0] * row[f"k{at}"] + [0.0] * (row[f"n{at}"] - row[f"k{at}"]), prefix=f"side{at}-") for at in (2, 1)
    ]
    [found] = compare_changes([ChangedRuns("sums", "accuracy", [sides[0]], [sides[1]])]).changes
    assert not found.comparison.paired
    assert found.comparison.outcomes is None
    assert found.comparison.difference is not None
    assert found.comparison.difference.interval == pytest.approx(row["newcombe"], abs=1e-9)


def test_several_benchmarks_are_adjusted_together() -> None:
    """Each p is adjusted by Holm's method for the others, as statsmodels does it."""
    asked = []
    for row in CHANGES:
        before, after = runs_of(row["higher"], row["lower"], row["n"])
        asked.append(ChangedRuns(f"{row['higher']}", "accuracy", [before], [after]))
    found = compare_changes(asked)
    assert [one.comparison.p for one in found.changes] == [exactly(p) for p in VECTORS["holm_of_changes"]["p"]]
    adjusted = [exactly(p) for p in VECTORS["holm_of_changes"]["holm"]]
    assert [one.comparison.p_holm for one in found.changes] == adjusted


@pytest.mark.parametrize(
    ("higher", "lower", "margin", "verdict", "reason"),
    [
        (20, 3, 0.0, Verdict.IMPROVEMENT, "better: p 0.0004 is below 0.05"),
        (3, 20, 0.0, Verdict.REGRESSION, "worse: p 0.0004 is below 0.05"),
        (3, 20, 0.1, Verdict.PASS, "a difference is shown, and a loss of 0.1 or more is excluded"),
        (3, 20, 0.05, Verdict.REGRESSION, "and the loss may exceed the margin of 0.05"),
        (20, 3, 0.05, Verdict.IMPROVEMENT, "better"),
        (61, 82, 0.0, Verdict.INCONCLUSIVE, "no difference is shown: p 0.0791 is not below 0.05"),
        (61, 82, 0.05, Verdict.INCONCLUSIVE, "a loss of 0.111 is not excluded, which is beyond the margin of 0.05"),
        (70, 66, 0.05, Verdict.PASS, "a loss of 0.05 or more is excluded: the interval ends at a loss of 0.047"),
        (0, 0, 0.0, Verdict.PASS, "each of the 400 items scores the same"),
        (0, 0, 0.01, Verdict.PASS, "a loss of 0.01 or more is excluded"),
        (0, 0, 0.001, Verdict.INCONCLUSIVE, "a loss of 0.007 is not excluded"),
    ],
)
def test_verdicts(higher: int, lower: int, margin: float, verdict: Verdict, reason: str) -> None:
    """Each verdict has its side of each boundary, and says why."""
    found = change(higher, lower, 400, Margin(margin)).judgement
    assert found.verdict is verdict
    assert reason in found.reason


def test_lower_may_be_better() -> None:
    """Where the benchmark says that lower is better, a lower score is the improvement."""
    kind = MetricKind("share", "lower")
    assert change(3, 20, 400, kind=kind).judgement.verdict is Verdict.IMPROVEMENT
    assert change(20, 3, 400, kind=kind).judgement.verdict is Verdict.REGRESSION
    assert change(66, 70, 400, Margin(0.05), kind).judgement.verdict is Verdict.PASS


def test_how_many_items_would_decide() -> None:
    """The estimate is that of the margin where the loss lies within it, of the difference else, and none of no loss."""
    row = CHANGES[1]
    kept = change(row["higher"], row["lower"], 400, Margin(0.04)).judgement
    assert kept.size is not None
    assert kept.size.items == pytest.approx(400 * 7.84888 * (row["stderr"] / 0.05) ** 2, rel=1e-3)
    shown = change(61, 82, 400).judgement
    assert shown.size is not None
    assert shown.size.items == 1013
    assert change(40, 40, 400).judgement.size is None
    assert find_size_without_losses(400, 0.001, 0.05) is not None
    assert change(0, 0, 400, Margin(0.001)).judgement.size == find_size_without_losses(400, 0.001, 0.05)


def test_percentages_are_of_the_scale() -> None:
    """1% is 0.01 of shares, 1 of a metric from 0 to 100, and nothing of a metric without a scale."""
    margin = Margin(0.01, is_percentage=True)
    assert margin.on_scale(MetricKind("percent"), [73.0]) == 1
    assert margin.on_scale(UNKNOWN_KIND, [0.5, 0.7]) == 0.01
    assert margin.on_scale(UNKNOWN_KIND, [0.5, 7.3]) is None
    sides = [run_of([3.0, 4.0, 9.5], metric="points"), run_of([3.5, 4.0, 9.0], metric="points")]
    [found] = compare_changes([ChangedRuns("b", "points", [sides[0]], [sides[1]])], margin=margin).changes
    assert found.judgement.verdict is Verdict.INCONCLUSIVE
    assert "give a number on its scale" in found.judgement.reason


def test_what_cannot_be_compared_is_inconclusive() -> None:
    """A benchmark without a result, or without an error, is never passed; the same attempts always are."""
    before, _ = runs_of(3, 20, 400)
    lacking = ChangedRuns("a", "accuracy", lack="it has no result")
    bare = [Run((Score("accuracy", value),)) for value in (0.5, 0.7)]
    same = ChangedRuns("c", "accuracy", [before], [before], is_same_result=True)
    found = compare_changes([lacking, ChangedRuns("b", "accuracy", [bare[0]], [bare[1]]), same])
    verdicts = [one.judgement.verdict for one in found.changes]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.PASS]
    assert found.changes[0].judgement.reason == "it has no result"
    assert found.verdict is Verdict.INCONCLUSIVE


def test_the_verdict_on_all_is_the_worst() -> None:
    """An improvement hides neither a regression nor what is not decided."""

    def all_of(*verdicts: Verdict) -> Verdict:
        return judge_all(Judgement(verdict, "") for verdict in verdicts)

    assert all_of(Verdict.IMPROVEMENT, Verdict.REGRESSION, Verdict.INCONCLUSIVE) is Verdict.REGRESSION
    assert all_of(Verdict.IMPROVEMENT, Verdict.INCONCLUSIVE, Verdict.PASS) is Verdict.INCONCLUSIVE
    assert all_of(Verdict.IMPROVEMENT, Verdict.PASS) is Verdict.IMPROVEMENT
    assert all_of(Verdict.PASS) is Verdict.PASS


def test_small_p_are_not_zero() -> None:
    """A p has three or four digits, and never reads as 0."""
    assert [format_p(p) for p in (0.5, 0.0312, 0.00004, 3e-17, None)] == ["0.500", "0.0312", "4e-05", "3e-17", "-"]


def test_sets_keep_what_was_asked() -> None:
    """The set tells the confidence and the margin that its verdicts rest on."""
    found: ChangeSet = compare_changes([], 0.9, Margin(0.02))
    assert (found.confidence, str(found.margin), str(Margin(0.01, True))) == (0.9, "0.02", "1%")
