"""Gates: what is met, what is not, and what cannot be judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from evalmake.scoring.intervals import wilson
from evalmake.scoring.result_set import GateResult, Item, Requirement, Run, Score, judge_gate


def binary(right: int, n: int, metric: str = "accuracy") -> Score:
    """The score of `right` right answers of n."""
    p = right / n
    return Score(metric, p, math.sqrt(p * (1 - p) / (n - 1)), scored=n)


def score(value: float, stderr: float | None = None, scored: int = 0) -> Score:
    """A score that need not be of zeros and ones."""
    return Score("accuracy", value, stderr, scored=scored)


def judge(
    op: str, bound: float, *runs: Score | Run, confidence: float | None = None, is_share: bool = False
) -> GateResult:
    """Judge a gate on the accuracy of seeds 1, 2, ...; a score stands for a run that left no items."""
    by_seed = {seed: one if isinstance(one, Run) else Run((one,)) for seed, one in enumerate(runs, start=1)}
    return judge_gate("grid/m/b", Requirement("accuracy", op, bound, confidence, is_share), by_seed)


def judge_metric(metric: str, bound: float, scores: dict[int, list[Score]]) -> GateResult:
    """Judge a gate on any metric."""
    runs = {seed: Run(tuple(found)) for seed, found in scores.items()}
    return judge_gate("grid/m/b", Requirement(metric, ">=", bound), runs)


def of_items(values: Sequence[float | None]) -> Run:
    """A run that left its items; None was not scored."""
    items = [
        Item(str(at), f"hash {at}", {} if value is None else {"accuracy": value}) for at, value in enumerate(values)
    ]
    known = [value for value in values if value is not None]
    found = Score("accuracy", sum(known) / len(known), 0.1, scored=len(known), unscored=len(values) - len(known))
    return Run((found,), lambda: items)


def test_a_gate_that_is_not_met() -> None:
    """The verdict gives value, interval and bound, the detail each seed."""
    found = judge(">=", 0.70, binary(345, 500), binary(340, 500), binary(335, 500))
    assert found.met is False
    assert found.message == "accuracy is 0.680, below 0.70"
    assert found.detail == "mean of 3 seeds: 0.69, 0.68, 0.67; 500 samples each"
    assert found.parts == ((1, 0.69), (2, 0.68), (3, 0.67))
    assert found.samples == (500, 500, 500)


@pytest.mark.parametrize("op", [">=", "<=", "=="])
def test_floating_noise_decides_no_gate(op: str) -> None:
    """The mean of 0.8, 0.8 and 0.8 is 0.8, whatever the sum of floats says."""
    assert judge(op, 0.8, *[score(0.8)] * 3).met is True
    assert judge(op, 0.3, score(0.1 + 0.2)).met is True


@pytest.mark.parametrize("op", [">", "<"])
def test_equal_is_neither_more_nor_less(op: str) -> None:
    """A strict comparison is not met by floating noise."""
    assert judge(op, 0.3, score(0.1 + 0.2)).met is False


@pytest.mark.parametrize(
    ("op", "value", "met", "words"),
    [
        (">=", 0.9, True, "at least 0.80"),
        (">=", 0.7, False, "below 0.80"),
        (">", 0.9, True, "above 0.80"),
        (">", 0.7, False, "not above 0.80"),
        ("<=", 0.7, True, "at most 0.80"),
        ("<=", 0.9, False, "above 0.80"),
        ("<", 0.7, True, "below 0.80"),
        ("<", 0.9, False, "not below 0.80"),
        ("==", 0.8, True, "equal to 0.80"),
        ("==", 0.9, False, "not 0.80"),
    ],
)
def test_every_comparison_has_its_words(op: str, value: float, met: bool, words: str) -> None:
    """A verdict reads as a sentence, met or not."""
    found = judge(op, 0.8, score(value))
    assert (found.met, found.message) == (met, f"accuracy is {value:.3f}, {words}")


def test_an_unknown_comparison_is_refused() -> None:
    """An operator outside the language is a mistake of the caller."""
    with pytest.raises(ValueError, match="`=<` is no comparison"):
        judge("=<", 0.8, score(0.9))


def test_rounding_never_contradicts_the_verdict() -> None:
    """A value that would round up to its bound is printed with more digits."""
    assert judge(">=", 0.7, score(0.69996)).message == "accuracy is 0.69996, below 0.70"
    assert judge("<=", 0.07, score(0.07004)).message == "accuracy is 0.07004, above 0.07"


def test_confidence_asks_for_the_one_sided_bound() -> None:
    """With a confidence, being above on average is not enough: the one-sided bound, which is named, must be."""
    run = binary(363, 500)
    lower = wilson(363, 500, 0.9)[0]  # 95 % one-sided is 90 % two-sided
    assert judge(">=", 0.70, run).met is True
    unsure = judge(">=", 0.70, run, confidence=0.95)
    assert (unsure.met, unsure.low, unsure.high) == (False, pytest.approx(lower), None)
    lower_bound = "its lower bound at 95% confidence (one-sided) is 0.692"
    assert unsure.message == f"accuracy is 0.726, at least 0.70, but {lower_bound}"
    sure = judge(">=", 0.65, run, confidence=0.95)
    assert (sure.met, sure.message) == (True, f"accuracy is 0.726, at least 0.65, and {lower_bound}")
    below = judge(">=", 0.75, run, confidence=0.95)
    assert (below.met, below.message) == (False, "accuracy is 0.726, below 0.75")
    upper = judge("<=", 0.75, run, confidence=0.995)
    assert upper.met is False
    assert upper.message.endswith("but its upper bound at 99.5% confidence (one-sided) is 0.774")


def test_a_low_confidence_never_helps() -> None:
    """At 50 % and below, the bound is the value itself."""
    assert judge(">=", 0.75, binary(74, 100), confidence=0.1).met is False
    assert judge(">=", 0.74, binary(74, 100), confidence=0.1).met is True


def test_equality_with_confidence_asks_for_the_interval() -> None:
    """`==` has no side, so the whole interval must agree, which only a certain value does."""
    found = judge("==", 0.5, binary(50, 100), confidence=0.9)
    assert found.met is False
    assert found.message == "accuracy is 0.500, equal to 0.50, but its 90% interval is [0.419, 0.581]"


def test_a_gate_may_use_the_spelling_of_lm_eval() -> None:
    """`METRIC,FILTER` is METRIC.FILTER, as the harness stores it; a metric of that very name goes first."""
    scores = {1: [Score("exact_match.strict", 0.9, 0.01, scored=100)]}
    assert judge_metric("exact_match,strict", 0.8, scores).met
    assert judge_metric("exact_match.strict", 0.8, scores).met
    scores[1].append(Score("exact_match,strict", 0.5, 0.01, scored=100))
    assert judge_metric("exact_match,strict", 0.8, scores).met is False


def test_confidence_without_an_interval_is_unjudged() -> None:
    """Where no interval can be estimated, the gate is neither met nor not met."""
    found = judge(">=", 0.7, score(0.9), confidence=0.95)
    assert (found.met, found.message) == (
        None,
        "accuracy has no interval (the harness reports no standard error), and 95% confidence is asked for",
    )


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "no run has a result, so f1 is not known"),
        ({1: []}, "f1 was not reported; there are no scores at all"),
        ({1: [score(0.5), Score("em", 1.0)]}, "f1 was not reported; the metrics are accuracy, em"),
        (
            {1: [Score("f1", 0.5)], 2: [score(0.5)]},
            "f1 was not reported by seed 2; the metrics are accuracy",
        ),
        ({1: [Score("f1", None)], 2: [Score("f1", None)]}, "f1 has no value for seeds 1, 2"),
    ],
)
def test_a_metric_without_a_value_is_no_pass(scores: Any, message: str) -> None:
    """What a seed did not report leaves the gate unjudged, and what there is is named."""
    found = judge_metric("f1", 0.0, scores)
    assert (found.met, found.message) == (None, message)


@pytest.mark.parametrize(
    ("scores", "detail"),
    [
        ([score(0.5)], "one seed: 0.5"),
        ([score(0.5, 0.1, 20)], "one seed: 0.5; 20 samples"),
        ([score(0.5, 0.1, 20), score(0.6, 0.1, 30)], "mean of 2 seeds: 0.5, 0.6; 20, 30 samples"),
        ([score(0.5), Score("accuracy", None)], "mean of 2 seeds: 0.5, none"),
    ],
)
def test_the_parts_of_a_gate(scores: list[Score], detail: str) -> None:
    """The detail names each seed's value, and the samples where they were counted."""
    assert judge(">=", 0.5, *scores).detail == detail


# --- Unscored samples ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "unscored", "met"),
    [(85, 10, 5, True), (80, 15, 5, True), (79, 16, 5, None), (76, 19, 5, None), (74, 21, 5, False)],
)
def test_unscored_samples_that_could_turn_the_verdict(right: int, wrong: int, unscored: int, met: bool | None) -> None:
    """A gate is met, or not met, only if it stays so with every unscored sample wrong and with every one right."""
    found = judge(">=", 0.8, of_items([1.0] * right + [0.0] * wrong + [None] * unscored))
    assert found.met is met
    assert (met is None) == found.message.startswith("undecided: 5 unscored samples could change it: accuracy is 0.8")


def test_the_worst_case_with_a_confidence() -> None:
    """The bound at the worst case decides, and the message gives both."""
    run = of_items([1.0] * 91 + [0.0] * 8 + [None])
    assert judge(">=", 0.85, run, confidence=0.95).met is True
    found = judge(">=", 0.855, run, confidence=0.95)
    assert found.met is None
    assert found.message == (
        "undecided: 1 unscored sample could change it: accuracy is 0.919 of the scored, from 0.910 to 0.920 of all,"
        " and the bound is 0.855; the lower bound at 95% confidence is from 0.852 to 0.864"
    )


def test_samples_that_left_no_row_are_unscored_too() -> None:
    """A sample that the harness counted and did not write is asked for in the worst case."""
    run = of_items([1.0] * 8 + [0.0] * 2)
    lost = Run((Score("accuracy", 0.8, 0.1, scored=10, unscored=2),), run.read_items)
    assert judge(">=", 0.8, lost).met is None
    assert judge(">=", 0.6, lost).met is True


def test_unscored_samples_of_an_unbounded_metric() -> None:
    """Nothing bounds what an unscored sample of a metric outside [0, 1] would be."""
    found = judge(">=", 20, of_items([31.0, 25.5, None]))
    assert found.met is None
    assert found.message == (
        "undecided: 1 unscored sample could change it: accuracy is 28.250 of the scored, and nothing bounds it for the"
        " others"
    )


# --- Scales --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (score(73.5, 0.5, 100), "accuracy is 73.500"),
        (of_items([85.0, 1.0]), "accuracy is 43.000"),
        (of_items([85.0] + [0.0] * 99), "accuracy of single samples is 85.000"),
        (score(-0.5), "accuracy is -0.500"),
    ],
)
@pytest.mark.parametrize("op", [">=", "<="])
def test_a_share_is_no_bound_of_another_scale(run: Score | Run, found: str, op: str) -> None:
    """73.5 is not above 80 %: a percentage judges only scores from 0 to 1, all of them."""
    judged = judge(op, 0.8, run, is_share=True)
    assert judged.met is None
    assert judged.message == (
        f"{found}, and the bound 80% is a share from 0 to 1: if the metric goes to 100, write"
        f" `require accuracy {op} 80`"
    )


def test_a_bound_that_could_be_a_ratio() -> None:
    """0.8 without a percent sign judges a speed-up of 1.2, but never lets 73.5 pass."""
    assert judge_metric("ratio", 0.8, {1: [Score("ratio", 1.2)]}).met is True
    assert judge("<=", 0.8, score(2.5)).met is False  # a loss
    assert judge(">=", 0.8, score(73.5)).met is None
    assert judge(">=", 0.8, of_items([85.0] + [0.0] * 99)).met is None
    assert judge(">=", 80, score(73.5)).met is False


@pytest.mark.parametrize(("bound", "value"), [(0.8, 1.2), (1, 73.5), (0.8, 1.001)])
def test_a_share_by_its_name_is_not_above_1(bound: float, value: float) -> None:
    """An accuracy of 1.2 is one of 1.2 %: it meets no bound of 0.8, and 73.5 none of 1."""
    found = judge(">=", bound, score(value))
    assert found.met is None
    assert f"is a share from 0 to 1: if the metric goes to 100, write `require accuracy >= {bound * 100:g}`" in (
        found.message
    )


@pytest.mark.parametrize(
    ("op", "bound", "run"),
    [
        (">=", 80, score(0.9)),
        (">=", 80, of_items([1.0] * 9 + [0.0])),
        ("<=", 5, score(0.9)),
        ("<", 5, score(0.9, 0.03, 100)),
        ("<=", 5, of_items([0.9, 0.8])),
        ("==", 100, score(1.0)),
    ],
)
def test_a_bound_that_may_be_a_percentage(op: str, bound: float, run: Score | Run) -> None:
    """80 is no bound of a share: a gate that 80% would turn is not judged, whichever way, and says what to write."""
    found = judge(op, bound, run)
    assert found.met is None
    assert f"and the bound {bound} may be a percentage: if the metric goes to 1, write" in found.message
    assert (
        f"`require accuracy {op} {bound}%`; if it can be greater, `require accuracy {op} {bound}00%`" in found.message
    )


@pytest.mark.parametrize(
    ("op", "bound", "run", "met"),
    [
        (">=", 80, score(0.7), False),  # not met as 80% either
        ("<=", 5, score(0.04), True),
        ("<=", 3, score(0.0), True),  # no failures at all
        ("<=", 1.5, score(0.9), True),
        ("<=", 500, score(0.9), True),  # milliseconds
        ("<=", 5, of_items([0.9, 1.3, 0.2]), True),  # seconds
        ("<=", 5, score(0.9, 0.3, 100), True),  # varies more than shares can
    ],
)
def test_a_bound_that_is_no_percentage_or_turns_nothing(op: str, bound: float, run: Score | Run, met: bool) -> None:
    """Nothing is doubted where the scores leave 0 to 1, or where a percentage has the same verdict."""
    assert judge(op, bound, run).met is met


def test_a_percentage_above_100_says_the_scale() -> None:
    """500% is 5 on whatever scale: it judges seconds below 1, and points."""
    assert judge("<=", 5, score(0.9), is_share=True).met is True
    assert judge("<=", 5, score(7.5), is_share=True).met is False


@pytest.mark.parametrize(
    ("name", "doubted"),
    [("latency", False), ("total_seconds", False), ("loss/mean", False), ("wer", True), ("timeliness", True)],
)
def test_a_quantity_has_no_percentages(name: str, doubted: bool) -> None:
    """A metric that is measured or counted by its name is judged by any bound, without doubt."""
    found = judge_metric(name, 80, {1: [Score(name, 0.9, 0.01, scored=50)]})
    assert (found.met is None) is doubted


@pytest.mark.parametrize(
    ("bound", "text"), [(0.9999, "0.9999"), (99.99 / 100, "0.9999"), (0.1 + 0.2, "0.30"), (1 / 3, "0.333333333333")]
)
def test_bounds_are_rounded_for_people(bound: float, text: str) -> None:
    """A bound reads as it was written, without the noise of floats."""
    assert judge(">=", bound, score(0.2)).message == f"accuracy is 0.200, below {text}"
