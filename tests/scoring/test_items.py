"""Means over items: seeds and repetitions, clusters, repeated questions; and missing samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring import coverage
from evalmake.scoring.intervals import mean_se, t_interval
from evalmake.scoring.item import Item, average_items, find_repeated_runs
from tests.scoring.vectors import VECTORS, exactly


def repeated(matrix: Sequence[Sequence[float]]) -> list[Item]:
    """One run: each item with its repetitions."""
    return [Item(str(at), f"hash {at}", {"m": value}) for at, item in enumerate(matrix) for value in item]


def run(scores: Sequence[float | None]) -> list[Item]:
    """One run of items asked once; None was not scored."""
    return [Item(str(at), f"hash {at}", {} if one is None else {"m": one}) for at, one in enumerate(scores)]


@pytest.mark.parametrize("name", ["repeats", "repeats_identical"])
def test_repetitions_are_averaged_inside_the_item(name: str) -> None:
    """The error is that of the items, whatever the number of repetitions."""
    row = VECTORS[name]
    found = average_items([repeated(row["matrix_items_x_repeats"])], "m")
    assert found is not None
    assert (found.mean, found.stderr) == (exactly(row["mean"]), exactly(row["se_correct_items"]))


def test_ragged_repetitions() -> None:
    """Items weigh the same however often they were asked."""
    row = VECTORS["repeats_ragged"]
    found = average_items([repeated(row["repeats"])], "m")
    assert found is not None
    assert (found.mean, found.stderr) == (exactly(row["mean_of_item_means"]), exactly(row["se"]))


def test_seeds_and_repetitions_are_the_same_to_an_item() -> None:
    """Four seeds have the mean and the error of four repetitions."""
    matrix = VECTORS["repeats"]["matrix_items_x_repeats"]
    seeds = [run(column) for column in zip(*matrix, strict=True)]
    assert average_items(seeds, "m") == average_items([repeated(matrix)], "m")


def test_the_mean_is_that_of_the_runs() -> None:
    """Where one run has gaps, the value is still the mean of the runs' means, and a gap adds nothing."""
    found = average_items([run([1, 0, 1, 1]), run([1, None, None, 0])], "m")
    assert found is not None
    assert found.mean == (0.75 + 0.5) / 2
    assert (found.items, found.answers, found.groups) == (4, 6, 4)
    assert found.stderr is not None
    assert average_items([run([1, 0]), run([None, None])], "m") is None
    assert average_items([], "m") is None


def test_rows_that_repeat_a_question_are_no_new_questions() -> None:
    """Five copies of each of eight questions have the error of eight, not of forty."""
    scores = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    once = average_items([run(scores)], "m")
    copies = [Item(f"{at} {copy}", f"hash {at}", {"m": one}) for at, one in enumerate(scores) for copy in range(5)]
    found = average_items([copies], "m")
    assert once is not None
    assert found is not None
    assert (found.items, found.distinct, found.groups) == (40, 8, 8)
    assert (found.mean, found.stderr) == (exactly(once.mean), exactly(once.stderr))


def test_copies_of_a_question_may_have_ids_of_their_own() -> None:
    """Records that differ in an id ask the same question all the same, where it is known what was asked."""
    copies = [Item(f"{at}", f"hash {at}", {"m": float(at % 2)}, question=f"{at % 4}") for at in range(8)]
    found = average_items([copies], "m")
    assert found is not None
    assert (found.items, found.distinct, found.groups) == (8, 4, 4)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_error_is_that_of_the_item_means(runs: list[list[float]]) -> None:
    """Without gaps and clusters SE is sd(m_i) / sqrt(n)."""
    found = average_items([run(one) for one in runs], "m")
    expected = mean_se([sum(item) / len(item) for item in zip(*runs, strict=True)])
    assert found is not None
    assert (found.mean, found.stderr) == (exactly(expected.mean), pytest.approx(expected.stderr, abs=1e-12))


def test_runs_that_repeat_another_are_found() -> None:
    """A run with the same replies and scores repeats another, in any order; another reply makes it a run of its own."""
    first, other = ([item._replace(reply="x") for item in run(scores)] for scores in ([1, 0, 1], [1, 1, 1]))
    assert find_repeated_runs([first, other, first[::-1]]) == [2]
    assert find_repeated_runs([first, [item._replace(reply="y") for item in first], first]) == [2]


def test_runs_without_replies_repeat_nothing() -> None:
    """Equal scores alone do not tell that the replies were equal."""
    assert find_repeated_runs([run([1, 0, 1])] * 3) == []


def test_whole_runs_with_different_seeds() -> None:
    """The spread of run means over seeds, with t on S - 1 degrees of freedom."""
    row = VECTORS["seed_runs"]
    found = mean_se(row["run_scores"])
    assert (found.mean, found.stderr) == (exactly(row["mean"]), exactly(row["se"]))
    assert t_interval(row["mean"], row["se"], found.n - 1) == exactly(row["ci_t_df4"])


@pytest.mark.parametrize("row", VECTORS["missing"], ids=lambda r: f"{r['scored']}/{r['total']}")
def test_missing_samples(row: dict[str, Any]) -> None:
    """Unscored samples widen what the rate could be, and are never zeros."""
    found = coverage.coverage_bounds(row["correct"], row["scored"], row["total"])
    expected = None if row["complete_case"] is None else exactly(row["complete_case"])
    assert found.value == expected
    assert found.bounds == exactly(row["bounds"])
    assert found.coverage == exactly(row["coverage"])


@pytest.mark.parametrize("counts", [(3, 2, 5), (1, 6, 5), (0, 0, 0)])
def test_impossible_coverage_is_refused(counts: tuple[int, int, int]) -> None:
    """Right answers are among the scored, the scored among all."""
    with pytest.raises(ValueError, match="impossible"):
        coverage.coverage_bounds(*counts)
