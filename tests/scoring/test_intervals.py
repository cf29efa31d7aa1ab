"""Estimates and intervals, against worked numbers and their own laws."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring import bootstrap, distributions, intervals

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("statistics_vectors.json").read_text())
near = pytest.approx
probabilities = st.floats(1e-6, 1 - 1e-6)


def exactly(value: Any) -> Any:
    """The vectors' own tolerance."""
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)


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
    assert intervals.summary_interval(row["value"], row["stderr"], row["n"]) == exactly(intervals.mean_interval(scores))


def test_pseudo_replication_is_not_taken_for_items() -> None:
    """Ten items asked four times have the error of ten, not the one a harness reported for forty."""
    row = VECTORS["harness_observed"][3]
    items = intervals.mean_se([1] * 5 + [0] * 5)
    assert items.stderr == exactly(row["correct_stderr_10_items"])
    assert items.stderr != near(row["stderr"], rel=0.5)


@pytest.mark.parametrize("row", VECTORS["clustered_se"], ids=lambda row: row["name"])
def test_clustered_errors(row: dict[str, Any]) -> None:
    """The cluster-robust error carries the small-sample factor G/(G-1)."""
    found = intervals.clustered_se(row["scores"], row["clusters"])
    assert found == exactly(row["se_cluster_finite_corrected"])


def test_one_cluster_tells_nothing() -> None:
    """Below two clusters there is no error to give, and unequal lengths are refused."""
    assert intervals.clustered_se([1, 0, 1], ["a", "a", "a"]) is None
    assert intervals.clustered_se([], []) is None
    with pytest.raises(ValueError, match="zip"):
        intervals.clustered_se([1, 0], ["a"])


@pytest.mark.parametrize("row", VECTORS["proportion_ci"], ids=lambda row: f"{row['k']}/{row['n']}")
def test_proportion_intervals(row: dict[str, Any]) -> None:
    """Wilson, Clopper-Pearson and Jeffreys agree with the table."""
    k, n = row["k"], row["n"]
    assert intervals.wilson(k, n) == exactly(row["wilson"])
    assert intervals.clopper_pearson(k, n) == exactly(row["clopper_pearson"])
    assert intervals.jeffreys(k, n) == exactly(row["jeffreys"])


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
    for method in (intervals.wilson, intervals.clopper_pearson, intervals.jeffreys):
        with pytest.raises(ValueError, match="not a proportion"):
            method(k, n)


@pytest.mark.parametrize("row", VECTORS["rule_of_three"], ids=lambda row: str(row["n"]))
def test_rule_of_three(row: dict[str, Any]) -> None:
    """No failures in n trials bound the rate at about 3/n."""
    assert intervals.rule_of_three(row["n"]) == exactly(row["exact_one_sided_95_upper"])
    assert intervals.rule_of_three(row["n"]) == near(row["approx_3_over_n"], rel=0.2)


def test_the_interval_fits_the_data() -> None:
    """0/1 scores get Wilson, others Student's t, and one other score none at all."""
    assert intervals.mean_interval([1, 1, 1, 0, 1, 0, 1, 1, 0, 1]) == intervals.wilson(7, 10)
    assert intervals.mean_interval([True]) == intervals.wilson(1, 1)
    assert intervals.mean_interval([0.5, 1.0]) == exactly(intervals.t_interval(0.75, 0.25, 1))
    assert intervals.mean_interval([0.5]) is None
    assert intervals.mean_interval([]) is None


def test_an_interval_from_a_summary() -> None:
    """A summary of fractions gets t, one without a count the normal, an unknowable one none."""
    assert intervals.summary_interval(0.625, 0.1336, 8) == exactly(intervals.t_interval(0.625, 0.1336, 7))
    assert intervals.summary_interval(0.5, 0.1, 0) == exactly(intervals.t_interval(0.5, 0.1, math.inf))
    assert intervals.summary_interval(1.0, 0.0, 12) == intervals.wilson(12, 12)
    assert intervals.summary_interval(1.0, 0.0, 1) is None
    assert intervals.summary_interval(0.5, None, 10) is None
    assert intervals.summary_interval(None, None, 0) is None


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


@pytest.mark.parametrize("row", VECTORS["bootstrap_exact"], ids=lambda row: str(row["scores"]))
def test_bootstrap_errors(row: dict[str, Any]) -> None:
    """The drawn error approaches the one of all possible draws; constant data give none."""
    found = bootstrap.bootstrap(row["scores"], lambda s: math.fsum(s) / len(s), seed=1)
    if row["exact_bootstrap_se_of_mean"] == 0:
        assert found is None
    else:
        assert found is not None
        assert found.stderr == near(row["exact_bootstrap_se_of_mean"], rel=0.03)


def test_bootstrap_interval() -> None:
    """The percentile interval agrees up to one step of the grid, and a seed repeats it exactly."""
    row = VECTORS["bootstrap_mc"]
    scores = [1] * row["k"] + [0] * (row["n"] - row["k"])

    def draw(seed: int) -> bootstrap.Bootstrap | None:
        return bootstrap.bootstrap(scores, lambda s: sum(s) / len(s), seed)

    found = draw(7)
    assert found is not None
    assert (found.low, found.high) == near(row["percentile_ci"], abs=row["tolerance"])
    assert found.stderr == near(row["se_tolerance_target"], rel=0.03)
    assert found == draw(7)
    assert found != draw(8)
    assert bootstrap.bootstrap([1], lambda s: s[0], seed=7) is None
