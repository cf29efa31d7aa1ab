"""Comparisons of two sets of scores, and of many, against worked numbers and their own laws."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring import comparisons
from evalmake.scoring.comparisons import Side
from evalmake.scoring.intervals import mean_se, t_interval, wilson
from tests.scoring.vectors import PAIRED, VECTORS, exactly

p_values = st.lists(st.floats(0, 1), max_size=20)


def paired(a: list[float], b: list[float], groups: Any = None) -> comparisons.Difference:
    """The paired t of two lists."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    return comparisons.paired_means(differences, groups or range(len(a)), bounded=True)


@pytest.mark.parametrize("name", ["binary_20", "fractional"])
def test_paired_means(name: str) -> None:
    """The paired t test agrees with the table."""
    row = PAIRED[name]
    found = paired(row["a"], row["b"])
    assert (found.mean, found.stderr) == (exactly(row["diff"]), exactly(row["se_paired"]))
    assert (found.p, found.n, found.test) == (exactly(row["p_t"]), row["n"], "t")
    assert found.interval == exactly(row["ci_t"])


def test_paired_means_in_clusters() -> None:
    """Clustered items give the clustered error of the difference; one cluster says nothing."""
    row = PAIRED["binary_20"]
    found = paired(row["a"], row["b"], row["clusters"])
    assert (found.stderr, found.test) == (exactly(row["se_paired_clustered_corrected"]), "clustered t")
    assert paired(row["a"], row["b"], ["one"] * 20).interval is None


def test_a_constant_difference_has_no_p() -> None:
    """Where every item differs by the same, the error is 0 and nothing can be tested."""
    row = PAIRED["constant_shift"]
    found = paired(row["a"], row["b"])
    assert (found.mean, found.stderr, found.p, found.interval) == (exactly(row["diff"]), 0, None, None)


def test_no_difference_is_bounded_by_the_rule_of_three() -> None:
    """Where no item differs, the difference is below 1 - alpha^(1/n): 0.14 for 20 items, 0.003 for 1 000."""
    for n, bound in ((20, 0.1391), (1000, 0.00299)):
        scores = [0.5] * n
        for found in (paired(scores, scores), comparisons.paired_proportions(0, 0, n)):
            assert (found.mean, found.p, found.test) == (0, 1, "rule of three")
            assert found.interval == pytest.approx((-bound, bound), rel=1e-3)
    unbounded = comparisons.paired_means([0.0] * 5, range(5), bounded=False)
    assert (unbounded.p, unbounded.interval) == (1, None)


@pytest.mark.parametrize(
    ("a_only", "b_only", "n", "interval"),
    [(12, 2, 50, (0.0611, 0.3447)), (5, 0, 20, (0.0486, 0.4687)), (9, 7, 100, (-0.0631, 0.1048))],
)
def test_tango(a_only: int, b_only: int, n: int, interval: tuple[float, float]) -> None:
    """The first is an example of Tango's paper; the others agree with a search for the likelihood's maximum."""
    found = comparisons.paired_proportions(a_only, b_only, n)
    assert found.mean == (a_only - b_only) / n
    assert found.interval == pytest.approx(interval, abs=5e-5)
    mirrored = comparisons.paired_proportions(b_only, a_only, n)
    assert mirrored.interval == pytest.approx((-interval[1], -interval[0]), abs=5e-5)
    assert mirrored.p == found.p


@given(st.data(), st.integers(1, 300), st.floats(0.5, 0.999))
def test_interval_and_p_never_disagree(data: st.DataObject, n: int, confidence: float) -> None:
    """Tango's interval excludes 0 exactly where its p is below alpha."""
    a_only = data.draw(st.integers(0, n))
    b_only = data.draw(st.integers(0, n - a_only))
    found = comparisons.paired_proportions(a_only, b_only, n, confidence)
    assert found.interval is not None
    assert found.p is not None
    low, high = found.interval
    assert -1 <= low <= found.mean <= high <= 1
    if abs(found.p - (1 - confidence)) > 1e-9:
        assert (low > 0 or high < 0) == (found.p < 1 - confidence)


def test_mcnemar_is_the_test_at_zero() -> None:
    """Tango's test of no difference is McNemar's without a correction."""
    found = comparisons.paired_proportions(15, 5, 200)
    assert found.p == exactly(math.erfc(10 / math.sqrt(20) / math.sqrt(2)))


def share(k: int, n: int) -> Side:
    """k right of n, asked once."""
    p = k / n
    return Side(p, math.sqrt(p * (1 - p) / n), n - 1, n, True, partial(wilson, k, n))


@pytest.mark.parametrize("row", VECTORS["two_independent_proportions"], ids=lambda r: f"{r['k1']}-{r['k2']}")
def test_unpaired_proportions(row: dict[str, Any]) -> None:
    """Newcombe's interval agrees with the table, and excludes 0 exactly where p is below alpha."""
    a, b = share(row["k1"], row["n1"]), share(row["k2"], row["n2"])
    found = comparisons.unpaired_difference(a, b)
    assert found is not None
    assert (found.mean, found.test) == (exactly(row["diff"]), "Newcombe")
    assert found.interval == exactly(row["newcombe_ci"])
    assert found.p is not None
    assert found.interval is not None
    assert (found.p < 0.05) == (found.interval[0] > 0 or found.interval[1] < 0)
    if found.mean:
        touching = comparisons.unpaired_difference(a, b, 1 - found.p)
        assert touching is not None
        assert touching.interval is not None
        assert min(map(abs, touching.interval)) == pytest.approx(0, abs=1e-6)


def test_unpaired_means() -> None:
    """Other means have Welch's t: the figures of a worked example; unknown errors give nothing."""
    a = mean_se([27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4])
    b = mean_se([27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4])

    def side(mean: float | None, stderr: float | None) -> Side:
        assert mean is not None
        return Side(mean, stderr, 14, 15, False, lambda confidence: t_interval(mean, stderr or 0.0, 14, confidence))

    found = comparisons.unpaired_difference(side(a.mean, a.stderr), side(b.mean, b.stderr))
    assert found is not None
    assert (found.p, found.test) == (pytest.approx(0.02138, abs=1e-5), "Welch")
    assert comparisons.unpaired_difference(side(a.mean, None), side(b.mean, b.stderr)) is None


@pytest.mark.parametrize("row", VECTORS["mde_paired"], ids=lambda row: str(row["n"]))
def test_detectable_difference(row: dict[str, Any]) -> None:
    """The smallest difference that n pairs can show, at the alpha that is used."""
    stderr = row["sd_of_differences"] / math.sqrt(row["n"])
    assert comparisons.detectable_difference(stderr, row["alpha"], row["power"]) == exactly(row["mde"])


def test_many_comparisons() -> None:
    """Holm agrees with the table, in any order of the p-values."""
    row = VECTORS["multiple_comparisons"]
    assert comparisons.holm(row["p"]) == exactly(row["holm"])
    assert [p <= 0.05 for p in comparisons.holm(row["p"])] == row["holm_reject_0.05"]
    assert comparisons.holm(row["p"][::-1]) == exactly(row["holm"][::-1])


@given(p_values)
def test_adjustment_keeps_the_order(values: list[float]) -> None:
    """p <= Holm <= Bonferroni, and it does not change who is smaller."""
    adjusted = comparisons.holm(values)
    for p, higher in zip(values, adjusted, strict=True):
        assert p <= higher <= min(1.0, len(values) * p) * (1 + 1e-12)
    ranked = sorted(range(len(values)), key=values.__getitem__)
    assert [adjusted[i] for i in ranked] == sorted(adjusted)
