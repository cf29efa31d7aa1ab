"""Estimates and intervals, against worked numbers and their own laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring import distributions, intervals
from evalmake.scoring.item import Item, ItemMean, average_items, clustered_se
from tests.scoring.vectors import VECTORS, exactly

near = pytest.approx
probabilities = st.floats(1e-6, 1 - 1e-6)


@pytest.mark.parametrize(("p", "z"), VECTORS["quantiles"]["norm_ppf"].items())
def test_normal_quantiles(p: str, z: float) -> None:
    """The normal quantile agrees with the table, in both tails."""
    assert distributions.norm_ppf(float(p)) == exactly(z)
    assert distributions.norm_ppf(1 - float(p)) == exactly(-z)


@pytest.mark.parametrize("row", VECTORS["quantiles"]["norm_two_sided_p"])
def test_normal_tails_keep_their_digits(row: dict[str, float]) -> None:
    """A two-sided normal p is right in relative terms, even at ten standard errors."""
    assert 2 * distributions.norm_cdf(-row["z"]) == near(row["p"], rel=1e-9)


@pytest.mark.parametrize(("df", "t"), VECTORS["quantiles"]["t_ppf_0.975"].items())
def test_t_quantiles(df: str, t: float) -> None:
    """Student's quantile agrees with the table from 1 to 100 000 degrees of freedom."""
    assert distributions.t_ppf(0.975, int(df)) == exactly(t)


@pytest.mark.parametrize("row", VECTORS["quantiles"]["t_sf_two_sided"])
def test_t_tails(row: dict[str, float]) -> None:
    """A two-sided p of Student's t agrees with the table."""
    assert 2 * distributions.t_cdf(-row["t"], row["df"]) == exactly(row["p"])


@given(probabilities, st.floats(0.5, 1e7))
def test_t_quantile_inverts_the_distribution(p: float, df: float) -> None:
    """t_cdf(t_ppf(p)) is p, for any degrees of freedom."""
    assert distributions.t_cdf(distributions.t_ppf(p, df), df) == near(p, rel=1e-9)


@given(probabilities)
def test_normal_quantile_inverts_the_distribution(p: float) -> None:
    """norm_cdf(norm_ppf(p)) is p."""
    assert distributions.norm_cdf(distributions.norm_ppf(p)) == near(p, rel=1e-9)


@given(st.floats(-50, 50))
def test_student_approaches_the_normal_without_a_step(t: float) -> None:
    """The change of method at 100 000 degrees of freedom cannot be seen."""
    below, above = distributions.t_cdf(t, 99_999), distributions.t_cdf(t, 100_001)
    assert below == near(above, rel=1e-7, abs=1e-10)
    assert distributions.t_cdf(t, math.inf) == near(distributions.norm_cdf(t))


@pytest.mark.parametrize("p", [-0.1, 0.0, 1.0, 2.0])
def test_a_quantile_needs_a_probability(p: float) -> None:
    """Quantiles of impossible probabilities are refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        distributions.norm_ppf(p)
    with pytest.raises(ValueError, match="between 0 and 1"):
        distributions.t_ppf(p, 3)


def test_student_needs_degrees_of_freedom() -> None:
    """No degrees of freedom, no distribution."""
    with pytest.raises(ValueError, match="must be positive"):
        distributions.t_cdf(1.0, 0)


@pytest.mark.parametrize("row", VECTORS["mean_se"], ids=lambda row: row["name"])
def test_mean_and_standard_error(row: dict[str, Any]) -> None:
    """The mean, its error and Student's interval agree; what cannot be estimated is None."""
    found = intervals.mean_se(row["scores"])
    assert found.n == row["n"]
    assert (found.mean, found.stderr) == (exactly(row["mean"]), exactly(row["stderr"]))
    if found.mean is not None and found.stderr is not None:
        assert intervals.t_interval(found.mean, found.stderr, found.n - 1) == exactly(row["ci_t"])
        normal = intervals.t_interval(found.mean, found.stderr, math.inf)
        assert normal == exactly(row["ci_normal"])


@pytest.mark.parametrize("row", VECTORS["harness_observed"][:3], ids=lambda row: row["harness"])
def test_what_harnesses_report_is_recognised(row: dict[str, Any]) -> None:
    """The error recomputed from 0/1 samples is the one the harness wrote, and is known for 0/1."""
    scores = [1] * row["correct"] + [0] * (row["n"] - row["correct"])
    found = intervals.mean_se(scores)
    assert (found.mean, found.stderr) == (exactly(row["value"]), exactly(row["stderr"]))
    assert intervals.is_binary(row["value"], row["stderr"], row["n"])


def test_pseudo_replication_is_not_taken_for_items() -> None:
    """Ten items asked four times have the error of ten, not the one a harness reported for forty."""
    row = VECTORS["harness_observed"][3]
    items = intervals.mean_se([1] * 5 + [0] * 5)
    assert items.stderr == exactly(row["correct_stderr_10_items"])
    assert items.stderr != near(row["stderr"], rel=0.5)


@pytest.mark.parametrize("row", VECTORS["clustered_se"], ids=lambda row: row["name"])
def test_clustered_errors(row: dict[str, Any]) -> None:
    """The cluster-robust error carries the small-sample factor G/(G-1)."""
    found = clustered_se(row["scores"], row["clusters"])
    assert found == exactly(row["se_cluster_finite_corrected"])


def test_one_cluster_tells_nothing() -> None:
    """Below two clusters there is no error to give, and unequal lengths are refused."""
    assert clustered_se([1, 0, 1], ["a", "a", "a"]) is None
    assert clustered_se([], []) is None
    with pytest.raises(ValueError, match="zip"):
        clustered_se([1, 0], ["a"])


@pytest.mark.parametrize("row", VECTORS["proportion_ci"], ids=lambda row: f"{row['k']}/{row['n']}")
def test_proportion_intervals(row: dict[str, Any]) -> None:
    """Wilson's interval agrees with the table."""
    assert intervals.wilson(row["k"], row["n"]) == exactly(row["wilson"])


@given(st.data(), st.integers(1, 10_000), st.floats(0.5, 0.999))
def test_wilson_stays_inside(data: st.DataObject, n: int, confidence: float) -> None:
    """Wilson's interval holds its proportion and never leaves [0, 1]."""
    k = data.draw(st.integers(0, n))
    low, high = intervals.wilson(k, n, confidence)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high


@given(st.integers(0, 50), st.integers(3, 30))
def test_fewer_degrees_of_freedom_widen_wilson(k: int, df: int) -> None:
    """An effective size that was itself estimated gives a wider interval."""
    low, high = intervals.wilson(k, 50)
    wide_low, wide_high = intervals.wilson(k, 50, df=df)
    assert wide_low <= low
    assert high <= wide_high
    assert wide_high - wide_low > high - low


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_proportions_are_refused(k: int, n: int) -> None:
    """More successes than trials is a mistake of the caller, not a rate."""
    with pytest.raises(ValueError, match="not a proportion"):
        intervals.wilson(k, n)


@pytest.mark.parametrize("row", VECTORS["rule_of_three"], ids=lambda row: str(row["n"]))
def test_rule_of_three(row: dict[str, Any]) -> None:
    """No failures in n trials bound the rate at about 3/n."""
    assert intervals.rule_of_three(row["n"]) == exactly(row["exact_one_sided_95_upper"])
    assert intervals.rule_of_three(row["n"]) == near(row["approx_3_over_n"], rel=0.2)


def mean_of(*runs: list[float], clusters: str = "") -> ItemMean:
    """The mean over items: one run for each list, the same items in each, a cluster for each letter."""
    found = average_items(
        [
            [
                Item(str(at), f"hash {at}", {"m": value}, clusters[at] if clusters else None)
                for at, value in enumerate(run)
            ]
            for run in runs
        ],
        "m",
    )
    assert found is not None
    return found


def test_zeros_and_ones_asked_once_have_wilson() -> None:
    """One run of 0/1 items has Wilson's interval of its k of n, one item and a perfect score included."""
    scores: list[float] = [1, 1, 1, 0, 1, 0, 1, 1, 0, 1]
    assert intervals.item_interval(mean_of(scores), 0.9) == (intervals.wilson(7, 10, 0.9), "proportion")
    assert intervals.item_interval(mean_of([1.0] * 5), 0.95) == (intervals.wilson(5, 5), "proportion")
    assert intervals.item_interval(mean_of([1.0]), 0.95) == (intervals.wilson(1, 1), "proportion")


def test_seeds_have_the_effective_size() -> None:
    """Three seeds have Wilson's interval at min(n S, p (1 - p) / SE^2), with t on n - 1."""
    runs: list[list[float]] = [[1, 1, 0, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 1, 1, 1]]
    found = mean_of(*runs)
    means = [sum(item) / 3 for item in zip(*runs, strict=True)]
    stderr = intervals.mean_se(means).stderr
    assert found.stderr == exactly(stderr)
    assert stderr is not None
    size = min(24, found.mean * (1 - found.mean) / stderr**2)
    low, high = intervals.wilson(found.mean * size, size, df=7)
    assert intervals.item_interval(found, 0.95)[0] == exactly((low, high))


def test_clusters_have_the_effective_size() -> None:
    """Clusters give the clustered error to the size, and G - 1 degrees of freedom; all alike, they count once each."""
    scores: list[float] = [1, 1, 1, 0, 0, 1, 1, 1, 0, 1]
    found = mean_of(scores, clusters="aabbbccdde")
    assert found.stderr == exactly(clustered_se(scores, "aabbbccdde"))
    assert found.stderr is not None
    size = min(10, 0.7 * 0.3 / found.stderr**2)
    assert intervals.item_interval(found, 0.95)[0] == exactly(intervals.wilson(0.7 * size, size, df=4))
    perfect = mean_of([1.0] * 10, clusters="aabbbccdde")
    assert intervals.item_interval(perfect, 0.95)[0] == exactly(intervals.wilson(5, 5))
    assert intervals.item_interval(mean_of([1.0, 0.0], clusters="aa"), 0.95)[0] is None


@given(st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=2, max_size=40), st.floats(0.5, 0.999))
def test_bounded_scores_stay_inside(scores: list[float], confidence: float) -> None:
    """The interval of any scores from 0 to 1 holds their mean, has a width and does not leave [0, 1]."""
    found, _ = intervals.item_interval(mean_of(scores), confidence)
    assert found is not None
    assert 0 <= found[0] <= sum(scores) / len(scores) + 1e-9
    assert sum(scores) / len(scores) - 1e-9 <= found[1] <= 1
    assert found[0] < found[1]


def test_many_bounded_scores_are_as_student_has_them() -> None:
    """Far from the edges and with many items the interval is nearly Student's."""
    found = mean_of([0.4 + 0.01 * (at % 21) for at in range(2100)])
    assert found.stderr is not None
    student = intervals.t_interval(found.mean, found.stderr, 2099)
    assert intervals.item_interval(found, 0.95)[0] == near(student, abs=3e-4)


def test_unbounded_scores_have_student() -> None:
    """Scores outside [0, 1] have t; equal ones prove no certainty."""
    found = mean_of([1.5, 3.0, -2.0, 4.0])
    assert found.stderr is not None
    assert intervals.item_interval(found, 0.95) == (intervals.t_interval(found.mean, found.stderr, 3), "mean")
    assert intervals.item_interval(mean_of([31.5] * 9), 0.95) == (None, "none")
    assert intervals.item_interval(mean_of([31.5]), 0.95) == (None, "none")


@given(st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=2, max_size=40))
def test_only_zeros_and_ones_are_taken_for_binary(scores: list[float]) -> None:
    """A summary passes for 0/1 exactly when the scores are (up to the two denominators in use)."""
    found = intervals.mean_se(scores)
    assert found.mean is not None
    assert found.stderr is not None
    if all(score in (0, 1) for score in scores):
        assert intervals.is_binary(found.mean, found.stderr, found.n)
    elif math.fsum(s * (1 - s) for s in scores) > len(scores) * found.stderr**2 + 1e-3:
        assert not intervals.is_binary(found.mean, found.stderr, found.n)
