"""Gates that compare: the verdict, its numbers, and what keeps it from being judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from evalmake.scoring.gates import GateResult
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.relative_gates import BETTER, NO_WORSE, OtherSide, Relation, judge_relation
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run
from evalmake.scoring.verdict import Margin
from tests.scoring.test_verdict import run_of, runs_of


def judge(
    before: Run | None,
    after: Run,
    op: str = NO_WORSE,
    margin: Margin = Margin(0.01, True),  # noqa: B008
    confidence: float | None = None,
    kind: MetricKind = UNKNOWN_KIND,
) -> GateResult:
    """A gate on one run against another."""
    asked = Relation("accuracy", op, margin, "baseline main", confidence, kind)
    return judge_relation("e/m", asked, {0: after}, OtherSide([before] if before else []))


def summary(right: int, n: int) -> Run:
    """A run that left no items."""
    share = right / n
    return Run((Score("accuracy", share, (share * (1 - share) / (n - 1)) ** 0.5, scored=n),), lack_of_items="lost")


def test_the_bound_of_paired_items_is_tangos() -> None:
    """With a confidence, the lower bound is that of Tango's score interval at one side (by scipy's root finder)."""
    before, after = runs_of(8, 12, 400)
    found = judge(before, after, margin=Margin(0.03, True), confidence=0.95)
    assert (found.met, found.paired, found.difference) == (True, True, pytest.approx(-0.01))
    assert found.low == pytest.approx(-0.029918927, abs=1e-6)
    assert judge(before, after, margin=Margin(0.02, True), confidence=0.95).met is False


def test_other_scores_have_students_t() -> None:
    """The bound of scores between 0 and 1 is that of scipy's paired t-test."""
    ours = [0.2, 0.5, 0.9, 0.4, 0.7, 0.6, 0.8, 0.3, 0.5, 0.95]
    theirs = [0.25, 0.45, 0.7, 0.5, 0.6, 0.55, 0.85, 0.2, 0.4, 0.9]
    found = judge(run_of(theirs), run_of(ours), BETTER, Margin(), 0.95)
    assert found.low == pytest.approx(-0.0069382, abs=1e-6)
    assert found.met is False


def test_without_items_the_bound_is_newcombes_and_labelled_unpaired() -> None:
    """Two summaries are compared as unrelated (statsmodels' Newcombe interval), and the message says so."""
    found = judge(summary(160, 200), summary(150, 200), margin=Margin(0.2, True), confidence=0.95)
    assert found.low == pytest.approx(-0.118232, abs=1e-3)
    assert (found.met, found.paired) == (True, False)
    assert "unpaired: lost" in found.message


def test_no_item_that_differs_still_leaves_doubt() -> None:
    """The share of items that were lost is below 1 - 0.05^(1/n) with a confidence of 95 %, and not 0."""
    before, after = runs_of(0, 0, 400)
    found = judge(before, after, confidence=0.95)
    assert found.low == pytest.approx(-(1 - 0.05 ** (1 / 400)))
    assert found.met is True
    few = runs_of(0, 0, 20)
    assert judge(*few, confidence=0.95).met is False


@pytest.mark.parametrize(
    ("op", "margin", "met"),
    [
        (NO_WORSE, Margin(0.01, True), False),  # a loss of 0.01 is not below 0.01
        (NO_WORSE, Margin(0.011), True),
        (BETTER, Margin(), False),
    ],
)
def test_edges(op: str, margin: Margin, met: bool) -> None:
    """A loss must be below the margin."""
    assert judge(*runs_of(8, 12, 400), op, margin).met is met


@pytest.mark.parametrize(("margin", "met"), [(Margin(), True), (Margin(0.01, True), True), (Margin(0.02), False)])
def test_better_by_a_margin_is_at_least_that(margin: Margin, met: bool) -> None:
    """A gain of 1 % is better, and better by 1 %."""
    assert judge(*runs_of(12, 8, 400), BETTER, margin).met is met


def test_a_metric_of_which_less_is_better_is_turned() -> None:
    """Where low values are good, a lower one is the gain, and the bound is above the difference."""
    before, after = runs_of(8, 60, 400)
    found = judge(before, after, BETTER, Margin(), 0.95, MetricKind(None, "lower"))
    assert (found.met, found.difference, found.low) == (True, pytest.approx(-0.13), None)
    assert found.high is not None
    assert found.high < 0


def test_nothing_to_compare_with_is_not_met() -> None:
    """Without a result or without the metric on the other side, a gate is not judged."""
    _, after = runs_of(12, 8, 400)
    assert judge(None, after).met is None
    other = Run((Score("f1", 0.5, 0.1, scored=10),))
    found = judge(other, after)
    assert (found.met, found.message) == (None, "baseline main has no accuracy; its metrics are f1")


def test_the_margin_is_on_the_scale_of_the_metric() -> None:
    """A margin of 1 on scores from 0 to 1 allows everything, and a percentage of points says nothing."""
    assert "write `by 1%`" in judge(*runs_of(8, 12, 400), margin=Margin(1)).message
    points = [run_of([20.0, 30.0]), run_of([40.0, 50.0])]
    assert "write the margin without `%`" in judge(*points).message


@pytest.mark.parametrize("side", [0, 1])
def test_unscored_samples_that_could_turn_it(side: int) -> None:
    """Samples without a score of either side keep a gate from being judged where their scores could turn it."""

    def lose(run: Run, count: int) -> Run:
        items = list(run.read_items() or ())
        start = 20 if side else len(items) - count  # where both are right, or both are wrong
        lost = range(start, start + count)
        kept = [item._replace(scores={}) if at in lost else item for at, item in enumerate(items)]
        values = [item.scores["accuracy"] for item in kept if item.scores]
        score = Score("accuracy", sum(values) / len(values), 0.02, scored=len(values), unscored=count)
        return replace(run, scores=(score,), read_items=lambda: kept)

    def judged(count: int, margin: float) -> GateResult:
        runs: Sequence[Run] = runs_of(8, 12, 400)
        return judge(*(lose(run, count) if at == side else run for at, run in enumerate(runs)), margin=Margin(margin))

    assert judged(2, 0.1).met is True
    found = judged(8, 0.02)
    assert found.met is None
    assert "undecided: 8 unscored samples could change it" in found.message
