"""Repeats, pass@k, tasks together and missing samples, against worked numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring import coverage, pass_at_k, repeats, task_average
from evalmake.scoring.intervals import Estimate, mean_se, t_interval

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("statistics_vectors.json").read_text())


def exactly(value: Any) -> Any:
    """The vectors' own tolerance."""
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def test_repeats_are_averaged_inside_the_item() -> None:
    """Three different questions have three different errors, and the variance is taken apart."""
    row = VECTORS["repeats"]
    found = repeats.average_repeats(row["matrix_items_x_repeats"])
    assert found.mean == exactly(row["mean"])
    assert found.stderr == exactly(row["se_correct_items"])
    assert found.conditional == exactly(row["se_conditional_on_items"])
    assert found.within == exactly(row["within_item_variance_sigma2"])
    assert found.between == exactly(row["between_item_variance_omega2"])
    assert not found.identical


def test_identical_repeats_are_told() -> None:
    """Repeats that never differ are no repeats: a cache, or one seed."""
    row = VECTORS["repeats_identical"]
    found = repeats.average_repeats(row["matrix_items_x_repeats"])
    assert (found.mean, found.stderr) == (exactly(row["mean"]), exactly(row["se_correct_items"]))
    assert found.within == row["within_item_variance_sigma2"] == 0
    assert found.identical


def test_ragged_repeats() -> None:
    """Items weigh the same however often they were asked; one asked once hides its variance."""
    row = VECTORS["repeats_ragged"]
    found = repeats.average_repeats(row["repeats"])
    assert (found.mean, found.stderr) == (exactly(row["mean_of_item_means"]), exactly(row["se"]))
    assert (found.within, found.between, found.conditional) == (None, None, None)


def test_an_item_without_answers_is_refused() -> None:
    """An unanswered item is neither a zero nor silently dropped."""
    with pytest.raises(ValueError, match="without any answer"):
        repeats.average_repeats([[1, 0], []])


def test_whole_runs_with_different_seeds() -> None:
    """The spread of run means over seeds, with t on S - 1 degrees of freedom."""
    row = VECTORS["seed_runs"]
    found = mean_se(row["run_scores"])
    assert (found.mean, found.stderr) == (exactly(row["mean"]), exactly(row["se"]))
    assert t_interval(row["mean"], row["se"], found.n - 1) == exactly(row["ci_t_df4"])


@pytest.mark.parametrize("row", VECTORS["pass_at_k"], ids=lambda r: f"{r['n']}-{r['c']}-{r['k']}")
def test_pass_at_k(row: dict[str, Any]) -> None:
    """Unbiased pass@k and pass^k, and an error where k answers were never given."""
    n, c, k = row["n"], row["c"], row["k"]
    if row["pass_at_k"] is None:
        with pytest.raises(ValueError, match="k must be 1 to"):
            pass_at_k.pass_at_k(n, c, k)
        with pytest.raises(ValueError, match="k must be 1 to"):
            pass_at_k.pass_hat_k(n, c, k)
    else:
        assert pass_at_k.pass_at_k(n, c, k) == exactly(row["pass_at_k"])
        assert pass_at_k.pass_hat_k(n, c, k) == exactly(row["pass_hat_k"])


@given(st.data(), st.integers(1, 300))
def test_pass_at_k_keeps_its_bounds(data: st.DataObject, n: int) -> None:
    """0 <= pass^k <= c/n <= pass@k <= 1, up to rounding."""
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    every, some = pass_at_k.pass_hat_k(n, c, k), pass_at_k.pass_at_k(n, c, k)
    assert 0 <= every <= c / n + 1e-12
    assert c / n - 1e-12 <= some <= 1


@pytest.mark.parametrize("c", [-1, 6])
def test_impossible_counts_are_refused(c: int) -> None:
    """There are never more right answers than answers."""
    with pytest.raises(ValueError, match="impossible"):
        pass_at_k.pass_at_k(5, c, 1)


@pytest.mark.parametrize("row", VECTORS["pass_at_k_aggregate"], ids=lambda row: f"k={row['k']}")
def test_pass_at_k_over_problems(row: dict[str, Any]) -> None:
    """The error of a mean pass@k is taken over problems."""
    found = pass_at_k.pass_at_k_mean([(n, c) for n, c in row["problems_n_c"]], row["k"])
    assert found.mean == exactly(row["mean"])
    assert found.stderr == exactly(row["stderr_over_problems"])


def test_tasks_together() -> None:
    """Micro, macro over given tasks and macro over sampled tasks are three different errors."""
    row = VECTORS["aggregate"]
    tasks = [Estimate(task["mean"], task["se"], task["n"]) for task in row["tasks"]]
    micro, macro = task_average.micro_average(tasks), task_average.macro_average(tasks)
    assert (micro.mean, micro.n) == (exactly(row["micro_mean"]), 550)
    assert micro.stderr == exactly(row["micro_se_stratified"])
    assert (macro.mean, macro.n) == (exactly(row["macro_mean"]), 3)
    assert macro.stderr == exactly(row["macro_se_fixed_tasks"])
    sampled = mean_se([task["mean"] for task in row["tasks"]])
    assert sampled.stderr == exactly(row["macro_se_tasks_as_sample"])


def test_a_task_without_error_or_mean() -> None:
    """An unknown error makes the aggregate's unknown; an unknown mean is refused."""
    known, unsure = Estimate(0.5, 0.1, 10), Estimate(1.0, None, 1)
    assert task_average.macro_average([known, unsure]) == Estimate(0.75, None, 2)
    with pytest.raises(ValueError, match="zip"):
        task_average.macro_average([known, Estimate(None, None, 0)])


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
