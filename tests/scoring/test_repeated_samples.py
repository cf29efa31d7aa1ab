"""Metrics of several samples of an item, against their definitions."""

from __future__ import annotations

from itertools import combinations
from math import isclose

import pytest

from evalmake.scoring.repeated_samples import (
    compute_pass_all,
    compute_pass_at,
    is_repeat_metric,
    list_repeat_metrics,
    list_sizes,
    score_majority,
    score_repeats,
)


@pytest.mark.parametrize("n", range(1, 8))
def test_chances_are_shares_of_all_choices(n: int) -> None:
    """pass@k and pass^k are the shares of all choices of k samples of which any, or all, are right."""
    for c in range(n + 1):
        for k in range(1, n + 1):
            choices = [sum(chosen) for chosen in combinations([1] * c + [0] * (n - c), k)]
            assert isclose(compute_pass_at(k, n, c), sum(right > 0 for right in choices) / len(choices), abs_tol=1e-12)
            assert isclose(
                compute_pass_all(k, n, c), sum(right == k for right in choices) / len(choices), abs_tol=1e-12
            )


def test_the_estimate_of_many_samples() -> None:
    """pass@100 of 1000 samples does not overflow, and is the product that the paper computes it by."""
    product = 1.0
    for factor in range(997 - 99, 998):
        product *= factor / (factor + 3)
    assert isclose(compute_pass_at(100, 1000, 3), 1 - product, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("repeats", "sizes"),
    [(1, ()), (2, (2,)), (3, (2, 3)), (5, (2, 5)), (8, (2, 5, 8)), (100, (2, 5, 10, 20, 50, 100))],
)
def test_which_k_there_are(repeats: int, sizes: tuple[int, ...]) -> None:
    """The k are 2, 5, 10 and so on, and the number of samples itself."""
    assert list_sizes(repeats) == sizes
    names = list_repeat_metrics(repeats, votes=True)
    assert len(names) == 2 * len(sizes) + (repeats > 1)
    assert all(map(is_repeat_metric, names))


def test_items_with_fewer_scored_samples() -> None:
    """An item of which a sample has no score has those k that it has samples for."""
    assert score_repeats([True, False, True, True], 5) == {"pass@2": 1.0, "pass^2": 0.5}
    assert score_repeats([True], 5) == {}


@pytest.mark.parametrize(
    ("answers", "right", "score"),
    [
        (["4", "4", "5"], [1, 1, 0], 1.0),
        (["5", "5", "4"], [0, 0, 1], 0.0),
        (["4", "5"], [1, 0], 0.5),  # a tie of two
        (["4", "5", "6"], [1, 0, 0], 1 / 3),
        (["4.0", "4", "5", "5"], [1, 1, 0, 0], 0.5),  # two spellings of the right answer are one answer
        (["5", "6", "4", "4.0"], [0, 0, 1, 1], 1.0),
        ([None, None, "4"], [0, 0, 1], 1.0),  # without an answer, no vote
        ([None, None], [0, 0], 0.0),
    ],
)
def test_majorities(answers: list[str | None], right: list[int], score: float) -> None:
    """The commonest answer counts; of several that are equally common, each counts its part."""
    assert score_majority(answers, list(map(bool, right))) == score
