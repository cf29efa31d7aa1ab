"""Pooling over seeds, gates, and the table a report makes of results."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring.intervals import mean_se, t_interval, wilson
from evalmake.scoring.result_set import (
    GateResult,
    Result,
    ResultSet,
    Scalar,
    Score,
    SeedAverage,
    average_seeds,
    judge_gate,
)


def binary(right: int, n: int, metric: str = "accuracy") -> Score:
    """The score of `right` right answers of n."""
    p = right / n
    return Score(metric, p, math.sqrt(p * (1 - p) / (n - 1)), scored=n)


def score(value: float, stderr: float | None = None, scored: int = 0) -> Score:
    """A score that need not be of zeros and ones."""
    return Score("accuracy", value, stderr, scored=scored)


# --- Scores and pooling --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_score_is_a_number_or_none(number: float) -> None:
    """NaN and infinity never travel: what is not known is None."""
    with pytest.raises(ValueError, match="write None"):
        Score("accuracy", number)
    with pytest.raises(ValueError, match="write None"):
        Score("accuracy", 0.5, number)


@pytest.mark.parametrize(("k", "n"), [(7, 10), (0, 5), (10, 10), (143, 164)])
def test_one_binary_run_has_its_own_wilson_interval(k: int, n: int) -> None:
    """Pooling one run changes nothing, and a perfect score still has a width."""
    found = average_seeds([binary(k, n)])
    assert (found.low, found.high) == pytest.approx(wilson(k, n), abs=1e-12)
    assert (found.basis, found.runs, found.samples, found.spread) == ("proportion", 1, n, None)


def test_seeds_of_the_same_items_are_not_more_items() -> None:
    """Three equal runs of 500 items have the interval of 500 items, not of 1500."""
    one, three = average_seeds([binary(340, 500)]), average_seeds([binary(340, 500)] * 3)
    assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=1e-12)
    assert (three.runs, three.samples, three.spread) == (3, 500, 0.0)


def test_the_spread_of_the_seeds_is_added() -> None:
    """SE^2 is the runs' mean SE^2 plus the variance of their mean."""
    runs = [binary(345, 500), binary(340, 500), binary(335, 500)]
    found = average_seeds(runs)
    seeds = mean_se([0.69, 0.68, 0.67])
    assert found.mean == pytest.approx(0.68)
    assert found.spread == pytest.approx(0.01)
    within = math.fsum((run.stderr or 0.0) ** 2 for run in runs) / 3
    assert found.stderr == pytest.approx(math.sqrt(within + (seeds.stderr or 0.0) ** 2))
    assert (found.low, found.high) == pytest.approx((0.6360, 0.7208), abs=5e-4)


def test_runs_that_disagree_wildly_get_a_wide_interval() -> None:
    """Two runs far apart say little, however many items each had; the interval stays in [0, 1]."""
    found = average_seeds([binary(500, 1000), binary(900, 1000)])
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < 0.2
    assert 0.9 < found.high <= 1


def test_other_scores_get_student() -> None:
    """Scores that cannot be zeros and ones get t, on n - 1 degrees of freedom for one run."""
    found = average_seeds([score(31.25, 0.5, 200)])
    assert (found.low, found.high) == pytest.approx(t_interval(31.25, 0.5, 199))
    assert found.basis == "mean"
    uncounted = average_seeds([score(31.25, 0.5)])
    assert (uncounted.low, uncounted.high) == pytest.approx(t_interval(31.25, 0.5, math.inf))


def test_without_item_errors_only_the_runs_speak() -> None:
    """Several runs without an error give the spread of the runs, and say so; one gives nothing."""
    runs = [score(v) for v in (0.712, 0.698, 0.725, 0.701, 0.709)]
    found = average_seeds(runs)
    assert (found.low, found.high) == pytest.approx((0.6958301645037237, 0.7221698354962776))
    assert found.basis == "runs"
    assert average_seeds(runs[:1]) == SeedAverage(0.712, runs=1)
    assert average_seeds([*runs[:2], score(0.7, 0.01, 100)]).basis == "runs"


def test_one_sample_has_no_error() -> None:
    """A harness that writes 0 for the error of one sample is not believed."""
    assert average_seeds([score(1.0, 0.0, 1)]).low is None


def clustered(value: float, stderr: float, scored: int, clusters: int) -> Score:
    """A score whose items come in clusters."""
    return Score("accuracy", value, stderr, scored=scored, clusters=clusters)


def test_clusters_are_the_degrees_of_freedom() -> None:
    """200 items in 5 clusters have t on 4 degrees of freedom, not on 199; seeds add none."""
    found = average_seeds([clustered(0.5, 0.05, 200, 5)])
    assert (found.low, found.high) == pytest.approx(t_interval(0.5, 0.05, 4))
    three = average_seeds([clustered(0.5, 0.05, 200, 5)] * 3)
    assert (three.low, three.high) == pytest.approx((found.low, found.high))
    assert judge(">=", 0.4, clustered(0.5, 0.05, 200, 5), confidence=0.95).met is False


def test_clusters_that_agree_entirely_count_once_each() -> None:
    """Clusters all right or all wrong have Wilson's interval of as many items, also at 0 and 1."""
    found = average_seeds([clustered(0.6, math.sqrt(0.24 / 9), 100, 10)])
    assert (found.low, found.high) == pytest.approx(wilson(6, 10), abs=1e-9)
    perfect = average_seeds([clustered(1.0, 0.0, 100, 5)])
    assert (perfect.low, perfect.high) == pytest.approx(wilson(5, 5))
    assert perfect.basis == "proportion"


def test_a_clustered_share_stays_inside() -> None:
    """The interval of k of n ends at 0 and 1; that of scores that are no shares does not."""
    high = average_seeds([clustered(0.95, 0.06, 200, 5)])
    assert high.high == 1.0
    assert high.low == pytest.approx(t_interval(0.95, 0.06, 4)[0])
    assert average_seeds([clustered(0.05, 0.06, 200, 5)]).low == 0.0
    differences = average_seeds([clustered(0.02, 0.05, 100, 20)])  # of -1, 0 and 1: too wide for 0 and 1
    assert differences.low == pytest.approx(t_interval(0.02, 0.05, 19)[0])
    assert differences.low is not None
    assert differences.low < 0


@pytest.mark.parametrize("certain", [clustered(0.5, 0.0, 100, 10), score(0.37, 0.0, 100), score(1.0, 0.0)])
def test_scores_that_do_not_vary_prove_no_certainty(certain: Score) -> None:
    """A standard error of 0 gives no interval, and a gate that asks for one is not judged."""
    for runs in ([certain], [certain] * 3):
        found = average_seeds(runs)
        assert (found.low, found.high, found.basis) == (None, None, "none")
    assert judge(">=", 0.3, certain, confidence=0.95).met is None


def test_one_cluster_has_no_error() -> None:
    """A standard error over a single cluster is not believed."""
    assert average_seeds([clustered(0.5, 0.01, 100, 1)]).low is None


def test_runs_without_a_value_are_left_out() -> None:
    """What was not scored is neither a zero nor counted as a run."""
    assert average_seeds([]) == SeedAverage(None)
    assert average_seeds([Score("accuracy", None, unscored=5)]) == SeedAverage(None)
    assert average_seeds([binary(7, 10), Score("accuracy", None, unscored=10)]) == average_seeds([binary(7, 10)])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(40, 60)), min_size=1, max_size=6))
def test_pooled_proportions_stay_inside(runs: list[tuple[int, int]]) -> None:
    """The interval holds the mean, stays in [0, 1], and is no narrower than one run's would be."""
    found = average_seeds([binary(k, n) for k, n in runs])
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1
    least = min(n for _, n in runs)
    low, high = wilson(found.mean * least, least)
    assert found.high - found.low >= high - low - 1e-9


@pytest.mark.parametrize(
    ("pooled", "text"),
    [
        (SeedAverage(0.83, 0.02, 0.79, 0.87, basis="mean"), "0.83 [0.79, 0.87]"),
        (SeedAverage(0.83, 0.0, 0.825, 0.835, basis="mean"), "0.830 [0.825, 0.835]"),
        (SeedAverage(31.25, 5.0, 21.0, 41.5, basis="mean"), "31.25 [21.00, 41.50]"),
        (SeedAverage(0.5, 0.0, 0.5, 0.5, basis="runs"), "0.50 [0.50, 0.50] (runs only)"),
        (SeedAverage(0.5), "0.500"),
        (SeedAverage(None), "not scored"),
    ],
)
def test_pooled_scores_in_words(pooled: SeedAverage, text: str) -> None:
    """A value has as many decimals as its interval deserves."""
    assert str(pooled) == text


# --- Gates ---------------------------------------------------------------------------------------


def judge(
    op: str, bound: float, *scores: Score, confidence: float | None = None, metric: str = "accuracy"
) -> GateResult:
    """Judge one gate over the scores of seeds 1, 2, ..."""
    by_seed = {seed: [found] for seed, found in enumerate(scores, start=1)}
    return judge_gate("grid/m/b", metric, op, bound, by_seed, confidence)


def test_a_gate_that_is_not_met() -> None:
    """The verdict gives value, interval and bound, the detail each seed."""
    found = judge(">=", 0.70, binary(345, 500), binary(340, 500), binary(335, 500))
    assert found.met is False
    assert found.message == "accuracy is 0.680 +/- 0.044, below 0.70"
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


def test_confidence_asks_for_the_whole_interval() -> None:
    """With a confidence, being above on average is not enough."""
    runs = [binary(360, 500), binary(365, 500)]
    assert judge(">=", 0.70, *runs).met is True
    unsure = judge(">=", 0.70, *runs, confidence=0.95)
    assert unsure.met is False
    assert unsure.message == ("accuracy is 0.725 +/- 0.042, at least 0.70, but not with 95% confidence: [0.683, 0.764]")
    sure = judge(">=", 0.65, *runs, confidence=0.95)
    assert sure.met is True
    assert sure.message == ("accuracy is 0.725 +/- 0.042, at least 0.65 with 95% confidence: [0.683, 0.764]")
    below = judge(">=", 0.75, *runs, confidence=0.95)
    assert (below.met, below.message) == (False, "accuracy is 0.725 +/- 0.042, below 0.75")


def test_a_gate_may_use_the_spelling_of_lm_eval() -> None:
    """`METRIC,FILTER` is METRIC.FILTER, as the harness stores it; a metric of that very name goes first."""
    scores = {1: [Score("exact_match.strict", 0.9, 0.01, scored=100)]}
    assert judge_gate("g", "exact_match,strict", ">=", 0.8, scores, None).met
    assert judge_gate("g", "exact_match.strict", ">=", 0.8, scores, None).met
    scores[1].append(Score("exact_match,strict", 0.5, 0.01, scored=100))
    assert judge_gate("g", "exact_match,strict", ">=", 0.8, scores, None).met is False


def test_confidence_without_an_interval_is_unjudged() -> None:
    """Where no interval can be estimated, the gate is neither met nor not met."""
    found = judge(">=", 0.7, score(0.9), confidence=0.95)
    assert (found.met, found.message) == (
        None,
        "accuracy has no interval, and 95% confidence is asked for",
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
    found = judge_gate("grid/m/b", "f1", ">=", 0.0, scores, None)
    assert (found.met, found.message) == (None, message)


@pytest.mark.parametrize("metric", ["exact_match.flexible-extract", "exact_match,flexible-extract"])
def test_both_spellings_of_a_filter(metric: str) -> None:
    """lm-eval's own spelling of a metric with a filter finds the metric, too; an exact name comes first."""
    reported = binary(345, 500, "exact_match.flexible-extract")
    assert judge_gate("grid/m/b", metric, ">=", 0.5, {1: [reported]}, None).met is True
    other = binary(5, 500, "exact_match,flexible-extract")
    assert judge_gate("grid/m/b", other.metric, ">=", 0.5, {1: [reported, other]}, None).met is False


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


# --- The table -----------------------------------------------------------------------------------


def result(eval: str, model: str, benchmark: str, seed: int, value: float, **axes: Scalar) -> Result:
    """One run with one score; extra axes as given."""
    cell: dict[str, Scalar] = {"model": model, "benchmark": benchmark, **axes, "seed": seed}
    return Result(
        name="/".join(map(str, (eval, *cell.values()))),
        eval=eval,
        axes=tuple(cell.items()),
        model=model,
        benchmark=benchmark,
        seed=seed,
        metric="accuracy",
        scores=(score(value), Score("f1", value / 2)),
        action="xxh128:00",
        attempt=1,
        attempts=1,
        reused=False,
        started="2026-08-21T14:02:00Z",
        seconds=1.0,
        usage={},
    )


def means(results: list[Result], **options: str) -> dict[tuple[str, str], float | None]:
    """The table's headline means by row and column."""
    table = ResultSet("t", tuple(results), (), (), "plan", **options).table()  # type: ignore[arg-type]
    return {pair: cell.average.mean for pair, cell in table.cells.items()}


def test_seeds_are_pooled_and_nothing_else() -> None:
    """Rows and columns keep the order of the results; every other metric has a cell of its own."""
    runs = [result("e", m, b, s, s / 4) for m in "yx" for b in "ba" for s in (1, 3)]
    table = ResultSet("t", tuple(runs), (), (), "plan").table()
    assert (table.rows, table.columns) == (("y", "x"), ("b", "a"))
    assert [cell.average.mean for cell in table.cells.values()] == [0.5] * 4
    assert [(c.row, c.column, c.metric, c.average.mean) for c in table.others] == [
        (row, column, "f1", 0.25) for row in "yx" for column in "ba"
    ]


def test_another_axis_divides_a_row() -> None:
    """Results that differ in more than the seed are never averaged."""
    runs = [result("e", "x", "a", s, t, temperature=t) for t in (0.0, 1.0) for s in (1, 2)]
    runs.append(result("e", "y", "a", 1, 0.5, thinking=True))
    assert means(runs) == {
        ("x (temperature=0.0)", "a"): 0.0,
        ("x (temperature=1.0)", "a"): 1.0,
        ("y", "a"): 0.5,
    }


def test_two_evals_of_one_pair_divide_a_row() -> None:
    """The same model and benchmark in two evals stand apart; different benchmarks do not."""
    runs = [result("smoke", "x", "a", 1, 0.0), result("full", "x", "a", 1, 1.0)]
    assert means(runs) == {("x (eval=smoke)", "a"): 0.0, ("x (eval=full)", "a"): 1.0}
    runs = [result("first", "x", "a", 1, 0.0), result("second", "x", "b", 1, 1.0)]
    assert means(runs) == {("x", "a"): 0.0, ("x", "b"): 1.0}


def test_any_axis_can_be_a_row_or_a_column() -> None:
    """Rows and columns may be seeds or axes; a result without the axis stands under a dash."""
    runs = [result("e", "x", "a", s, s / 4, thinking=t) for t in (True, False) for s in (1, 2)]
    assert means(runs, rows="thinking", column="seed") == {
        ("true", "1"): 0.25,
        ("true", "2"): 0.5,
        ("false", "1"): 0.25,
        ("false", "2"): 0.5,
    }
    assert means(runs[:2], column="temperature") == {("x", "-"): 0.375}
