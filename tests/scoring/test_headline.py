"""Which metric stands for a benchmark, and what is known of its scale."""

from __future__ import annotations

import pytest

from evalmake.project.schema import Scale
from evalmake.scoring.demands import Demands, find_shortfall
from evalmake.scoring.headline import MetricKind, find_metric
from evalmake.scoring.result_set import GateResult, Requirement, Run, Score, judge_gate
from tests.support.results import make_result


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("mgsm_micro", None),
        ("mgsm_micro_avg_of_4", "mgsm_micro_avg_of_4"),
        ("mgsm_micro*", "mgsm_micro_avg_of_4"),
        ("*", None),
        ("a*b", "a*b"),
        ("x.y", None),
    ],
)
def test_a_name_with_a_star_is_that_of_one_metric(wanted: str, found: str | None) -> None:
    """A star is any text, where one metric fits; a metric of the very name comes first."""
    assert find_metric(wanted, ["mgsm_micro_avg_of_4", "mgsm_macro", "a*b", "axb", "x_y"]) == found


def test_a_name_that_mlflow_spelt_is_that_of_one_metric() -> None:
    """It has no `@`, no brackets and no arrows; of several names that it would spell alike none is meant."""
    names = ["gpqa_pass@1[avg-of-8]_accuracy", "wmt_xx->xx_bleu", "a+b", "a&b"]
    assert find_metric("gpqa_pass_at_1_avg-of-8_accuracy", names) == names[0]
    assert find_metric("gpqa_pass_at_1*_accuracy", names) == names[0]
    assert find_metric("wmt_xx-_xx_bleu", names) == names[1]
    assert find_metric("a_b", names) is None


def test_a_result_without_the_headline_falls_short() -> None:
    """No other metric takes its place, and the message lists those that there are."""
    result = make_result({"model": "m", "seed": 1}, Score("de_micro", 0.5), Score("en_micro", 0.5))
    assert find_shortfall(Demands(metric="en*"), result) is None
    lacks = find_shortfall(Demands(metric="*_micro"), result)
    assert lacks is not None
    assert lacks.message == "the harness reported no `*_micro`; it reported de_micro, en_micro"


def judge(scale: Scale | None, value: float, op: str, bound: float, is_share: bool) -> GateResult:
    """Judge a gate on a metric of a stated scale."""
    asked = Requirement("score", op, bound, None, is_share, MetricKind(scale))
    return judge_gate("grid/m/b", asked, {1: Run((Score("score", value),))})


@pytest.mark.parametrize(
    ("scale", "value", "op", "bound", "is_share", "met"),
    [
        ("percent", 37.5, ">=", 0.9, True, False),
        ("percent", 91.0, ">=", 0.9, True, True),
        ("percent", 0.8, "<=", 0.005, True, False),
        ("percent", 0.8, ">=", 0.9, True, False),
        ("percent", 91.0, ">=", 90, False, True),
        ("share", 0.91, ">=", 0.9, True, True),
        ("share", 0.9, "<=", 0.5, False, False),
        ("points", 0.9, "<=", 5, False, True),
        ("points", 6.5, ">=", 7, False, False),
    ],
)
def test_a_bound_is_compared_on_the_scale_of_the_metric(
    scale: Scale, value: float, op: str, bound: float, is_share: bool, met: bool
) -> None:
    """90% of a metric that goes to 100 is 90, and of one that goes to 1 it is 0.9."""
    assert judge(scale, value, op, bound, is_share).met is met


@pytest.mark.parametrize(
    ("scale", "value", "op", "bound", "is_share", "words"),
    [
        ("share", 0.9, "<=", 5, False, "it goes from 0 to 1: write `5%` or `0.05` for the bound 5"),
        ("percent", 91.0, ">=", 0.9, False, "it goes from 0 to 100: write `0.9%` or `90%` for the bound 0.9"),
        ("points", 6.5, ">=", 0.9, True, "its `scale` is points, which have no percentages"),
        ("share", 37.5, ">=", 0.9, True, "37.5, and the benchmark's `scale` says that it goes from 0 to 1"),
        (None, 37.5, ">=", 0.9, True, "the bound 90% is a share from 0 to 1"),
        (None, 0.9, "<=", 5, False, "the bound 5 may be a percentage"),
    ],
)
def test_a_bound_of_another_scale_is_not_judged(
    scale: Scale | None, value: float, op: str, bound: float, is_share: bool, words: str
) -> None:
    """A share and a percentage never meet by accident, whether or not the scale is stated."""
    found = judge(scale, value, op, bound, is_share)
    assert found.met is None
    assert words in found.message
