"""Comparisons of two sets of scores, and of many, against worked numbers and their own laws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring import comparisons, multiple_comparisons, power

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("statistics_vectors.json").read_text())
PAIRED = {row["name"]: row for row in VECTORS["paired"]}
p_values = st.lists(st.floats(0, 1), max_size=20)


def exactly(value: Any) -> Any:
    """The vectors' own tolerance."""
    return pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["binary_20", "fractional"])
def test_paired_difference(name: str) -> None:
    """The paired t test agrees with the table."""
    row = PAIRED[name]
    found = comparisons.paired_difference(row["a"], row["b"])
    assert (found.mean, found.stderr) == (exactly(row["diff"]), exactly(row["se_paired"]))
    assert (found.p, found.n) == (exactly(row["p_t"]), row["n"])
    assert found.interval == exactly(row["ci_t"])


def test_paired_difference_in_clusters() -> None:
    """Clustered items give the clustered error of the difference."""
    row = PAIRED["binary_20"]
    found = comparisons.paired_difference(row["a"], row["b"], row["clusters"])
    assert found.stderr == exactly(row["se_paired_clustered_corrected"])
    assert comparisons.paired_difference(row["a"], row["b"], ["one"] * 20).stderr is None


@pytest.mark.parametrize("name", ["identical", "constant_shift"])
def test_a_deterministic_difference_has_no_p(name: str) -> None:
    """Where nothing varies, the error is exactly 0 and no p can be given."""
    row = PAIRED[name]
    found = comparisons.paired_difference(row["a"], row["b"])
    assert found.mean == exactly(row["diff"])
    assert (found.stderr, found.p, found.interval) == (row["se_paired"], None, None)


def test_only_equal_sets_are_paired() -> None:
    """Sets of different length, or empty ones, are refused."""
    with pytest.raises(ValueError, match="zip"):
        comparisons.paired_difference([1, 0], [1])
    with pytest.raises(ValueError, match="no items"):
        comparisons.paired_difference([], [])


@pytest.mark.parametrize("row", VECTORS["mcnemar_counts"], ids=lambda row: f"{row['a_only']}:{row['b_only']}")
def test_mcnemar(row: dict[str, Any]) -> None:
    """The exact and the mid-p test agree with the table, whichever model comes first."""
    found = comparisons.mcnemar(row["a_only"], row["b_only"])
    assert found.exact == exactly(row["mcnemar_exact_p"])
    assert found.mid == exactly(row["mcnemar_midp"])
    assert found == comparisons.mcnemar(row["b_only"], row["a_only"])


@pytest.mark.parametrize("name", ["binary_20", "identical"])
def test_mcnemar_of_paired_scores(name: str) -> None:
    """The discordant pairs of the paired vectors give their p."""
    row = PAIRED[name]
    only = [sum(x > y for x, y in zip(p, q, strict=True)) for p, q in _both_ways(row)]
    assert only == [row["contingency"]["a_only"], row["contingency"]["b_only"]]
    found = comparisons.mcnemar(*only)
    assert (found.exact, found.mid) == (
        exactly(row["mcnemar_exact_p"]),
        exactly(row["mcnemar_midp"]),
    )


def _both_ways(row: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    return [(row["a"], row["b"]), (row["b"], row["a"])]


@pytest.mark.parametrize("row", VECTORS["two_independent_proportions"], ids=lambda r: f"{r['k1']}-{r['k2']}")
def test_independent_proportions(row: dict[str, Any]) -> None:
    """Wald's error, Newcombe's interval and Fisher's p agree with the table."""
    found = comparisons.independent_proportions(row["k1"], row["n1"], row["k2"], row["n2"])
    assert (found.mean, found.stderr) == (exactly(row["diff"]), exactly(row["se_wald"]))
    assert found.interval == exactly(row["newcombe_ci"])
    assert found.p == exactly(row["fisher_p"])


def test_sign_flips() -> None:
    """All sign flips are counted, ties included, and too many are refused."""
    row = VECTORS["exact_sign_flip_permutation"]
    assert comparisons.sign_flip(row["differences"]) == row["p_two_sided"]
    assert comparisons.sign_flip([0.1] * 3) == 0.25
    with pytest.raises(ValueError, match="at most 20"):
        comparisons.sign_flip([0.1] * 21)


@pytest.mark.parametrize("row", VECTORS["sample_size_paired"], ids=lambda row: str(row["n_items"]))
def test_sample_size(row: dict[str, Any]) -> None:
    """The number of items for a difference, a power and a number of repeats."""
    found = power.sample_size_paired(
        row["delta"],
        row["omega2"],
        (row["sigma2_a"], row["sigma2_b"]),
        (row["K_a"], row["K_b"]),
        row["alpha"],
        row["power"],
    )
    assert found == row["n_items"]


@pytest.mark.parametrize("row", VECTORS["mde_paired"], ids=lambda row: str(row["n"]))
def test_detectable_difference_paired(row: dict[str, Any]) -> None:
    """The smallest difference that n pairs can show."""
    found = power.mde_paired(row["sd_of_differences"], row["n"], row["alpha"], row["power"])
    assert found == exactly(row["mde"])


@pytest.mark.parametrize("row", VECTORS["mde_unpaired"], ids=lambda row: str(row["n_each"]))
def test_detectable_difference_unpaired(row: dict[str, Any]) -> None:
    """The smallest difference that two unrelated sets can show."""
    assert power.mde_unpaired(row["p"], row["n_each"]) == exactly(row["mde"])


def test_many_comparisons() -> None:
    """Holm and Benjamini-Hochberg agree with the table, in any order of the p-values."""
    row = VECTORS["multiple_comparisons"]
    assert multiple_comparisons.holm(row["p"]) == exactly(row["holm"])
    assert multiple_comparisons.benjamini_hochberg(row["p"]) == exactly(row["bh"])
    assert [p <= 0.05 for p in multiple_comparisons.holm(row["p"])] == row["holm_reject_0.05"]
    assert [p <= 0.05 for p in multiple_comparisons.benjamini_hochberg(row["p"])] == row["bh_reject_0.05"]
    assert multiple_comparisons.holm(row["p"][::-1]) == exactly(row["holm"][::-1])
    assert multiple_comparisons.benjamini_hochberg(row["p"][::-1]) == exactly(row["bh"][::-1])


@given(p_values)
def test_adjustment_keeps_the_order(values: list[float]) -> None:
    """p <= Benjamini-Hochberg <= Holm <= Bonferroni, and neither changes who is smaller."""
    holm, hochberg = multiple_comparisons.holm(values), multiple_comparisons.benjamini_hochberg(values)
    for i, p in enumerate(values):
        assert p <= hochberg[i] * (1 + 1e-12)
        assert hochberg[i] <= holm[i] * (1 + 1e-12)
        assert holm[i] <= min(1.0, len(values) * p)
    ranked = sorted(range(len(values)), key=values.__getitem__)
    for adjusted in (holm, hochberg):
        assert [adjusted[i] for i in ranked] == sorted(adjusted)
