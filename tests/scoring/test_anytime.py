"""Intervals that hold wherever asking stops, and the tests that say when enough is known."""

from __future__ import annotations

import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.project.stop_rule import StopRule
from evalmake.scoring.anytime import BettingTest, anytime_interval, span_intervals
from evalmake.scoring.intervals import wilson
from evalmake.scoring.stopping import OffScaleError, StopTest

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=60)


def decide(truth: float, bound: float, most: int, draw: random.Random) -> tuple[int, int, int]:
    """On which side of a bound a mean is found, after how many scores, and how many of these are 1."""
    test, right = BettingTest(bound, 0.95), 0
    for count in range(1, most + 1):
        right += (score := draw.random() < truth)
        test.add(float(score))
        if test.side:
            return test.side, count, right
    return 0, most, right


def test_few_are_wrong_and_few_are_asked() -> None:
    """A share of .90 is told from .80 by a quarter of 1 000 items at the median, wrongly in 5 % of builds at most."""
    draw = random.Random(7)
    found = [decide(0.9, 0.8, 1000, draw) for _ in range(300)]
    assert sum(side != 1 for side, _, _ in found) <= 15
    assert median(count for _, count, _ in found) <= 250
    covered = [low <= 0.9 <= high for low, high in (interval(count, right) for _, count, right in found[:100])]
    assert sum(covered) >= 0.95 * len(covered)


def interval(count: int, right: int) -> tuple[float, float]:
    """The interval of so many scores, of which some are 1 and the others 0."""
    return anytime_interval({1.0: right, 0.0: count - right}, 0.95)


def test_what_is_equal_is_not_decided() -> None:
    """Of builds whose true share is the bound, 5 % at most are decided; with .82 against .80, most are not."""
    draw = random.Random(3)
    assert sum(decide(0.8, 0.8, 300, draw)[0] != 0 for _ in range(100)) <= 5
    assert sum(decide(0.82, 0.8, 300, draw)[0] == 0 for _ in range(40)) >= 32


def test_it_covers_wherever_one_looks() -> None:
    """The interval holds the true mean after every tenth of 120 scores, also of graded ones, in 95 % of runs."""
    draw, missed = random.Random(5), 0
    for _ in range(40):
        scores: list[float] = []
        for count in range(1, 121):
            scores.append(round(draw.betavariate(4, 1), 1))
            if count % 10 == 0:
                low, high = anytime_interval(scores, 0.95)
                if not low <= 0.8 <= high:  # rounding keeps the mean of 0.8 within 0.001
                    missed += 1
                    break
    assert missed <= 2


@given(SCORES, st.sampled_from([0.1, 0.5, 0.8]))
def test_interval_and_decision_agree(scores: list[float], bound: float) -> None:
    """A bound is decided just when it lies outside the interval, whatever the order of the scores."""
    test = BettingTest(bound, 0.95)
    for score in scores:
        test.add(score)
    low, high = anytime_interval(sorted(scores), 0.95)
    assert test.side == (1 if low > bound else -1 if high < bound else 0)
    assert 0 <= low <= high <= 1


def test_it_is_no_wider_than_twice_the_plain_one() -> None:
    """What it costs to look at every score is less than twice the width of Wilson's interval."""
    for count in (20, 100, 1000, 5000):
        for share in (0.5, 0.8, 0.9):
            right = round(count * share)
            low, high = interval(count, right)
            plain_low, plain_high = wilson(right, count)
            assert plain_high - plain_low < high - low < 2 * (plain_high - plain_low)


def test_what_each_run_decided_is_decided_of_their_mean() -> None:
    """The interval of several runs holds those of all, so runs on one side of a bound leave no doubt of their mean."""
    good, better, bad = [1.0] * 90 + [0.0] * 10, [1.0] * 97 + [0.0] * 3, [1.0] * 20 + [0.0] * 80
    (low, _), (_, high) = anytime_interval(good, 0.95), anytime_interval(better, 0.95)
    assert span_intervals([good, better], 0.95) == (low, high)
    both = span_intervals([good, bad], 0.95)
    assert both[0] < 0.5 < both[1]


def test_the_interval_of_runs_covers_their_mean() -> None:
    """Of two runs with true shares of .85 and .90 that stop by themselves, it holds .875 in 95 % of cases and more."""
    draw, missed = random.Random(11), 0
    for _ in range(60):
        runs = []
        for truth in (0.85, 0.9):
            _, count, right = decide(truth, 0.8, 300, draw)
            runs.append([1.0] * right + [0.0] * (count - right))
        low, high = span_intervals(runs, 0.95)
        missed += not low <= 0.875 <= high
    assert missed <= 3


def test_nothing_is_known_of_no_scores() -> None:
    """Without a score, the mean may be anything; and a bound at an end of the scale is never passed."""
    assert anytime_interval([], 0.95) == (0.0, 1.0)
    for bound, score in ((0.0, 1.0), (1.0, 0.0)):
        test = BettingTest(bound, 0.95)
        for _ in range(100):
            test.add(score)
        assert test.side == 0


def test_a_rule_needs_all_of_it() -> None:
    """Asking stops when each bound is decided and the headline is precise, and not before."""
    rule = StopRule(0.95, (("", 0.5), ("f1", 0.2)), 0.2)
    test = StopTest(rule, "accuracy")
    stops = [test.add({"accuracy": 1.0, "f1": 0.9}) for _ in range(40)]
    first = stops.index(True)
    alone = StopTest(StopRule(0.95, (), 0.2), "accuracy")
    assert [alone.add({"accuracy": 1.0}) for _ in range(40)].index(True) == first
    short = StopTest(StopRule(0.95, (("accuracy", 0.5),)), "accuracy")
    assert [short.add({"accuracy": 1.0}) for _ in range(40)].index(True) < first


def test_samples_without_a_score_tell_nothing() -> None:
    """A sample that has no score of a metric is passed over."""
    test = StopTest(StopRule(0.95, (("accuracy", 0.5),)), "accuracy")
    assert not any(test.add({}) or test.add({"f1": 1.0}) for _ in range(100))


@pytest.mark.parametrize("score", [-0.1, 1.5, 4.0])
def test_other_scales_are_refused(score: float) -> None:
    """A score outside 0 to 1 is no share, and no interval of this kind is known for it."""
    test = StopTest(StopRule(0.95, (("accuracy", 0.5),)), "accuracy")
    with pytest.raises(OffScaleError, match="needs scores from 0 to 1"):
        test.add({"accuracy": score})


def test_rules_are_read_as_they_are_written() -> None:
    """A rule goes through JSON unchanged."""
    for rule in (StopRule(0.9, (("", 0.8), ("f1", 0.1)), 0.02), StopRule(0.95, (("accuracy", 0.5),))):
        assert StopRule.of(rule.fields) == rule
