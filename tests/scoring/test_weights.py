"""Items that count more than others: means, errors, intervals and comparisons."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring.intervals import item_interval, wilson
from evalmake.scoring.item import Item, average_items
from evalmake.scoring.metric_scale import fill_unscored
from evalmake.scoring.row_comparison import compare_rows
from evalmake.scoring.sample_counts import SampleCounts, asks_all_once
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run, average_seeds
from evalmake.store.sample_means import Agreement, compare_scores
from tests.scoring.vectors import exactly

SCORES = [1.0, 0.0, 1.0, 1.0, 0.0]
WEIGHTS = [1.0, 4.0, 2.0, 1.0, 2.0]


def weighted(scores: list[float], weights: list[float], cluster: str | None = None) -> list[Item]:
    """One run of items with weights."""
    pairs = enumerate(zip(scores, weights, strict=True))
    return [Item(f"{at}", f"hash {at}", {"m": one}, cluster, weight=weight) for at, (one, weight) in pairs]


def run_of(items: list[Item]) -> Run:
    """A run that left these items, and their mean."""
    found = average_items([items], "m")
    assert found is not None
    return Run((Score("m", found.mean, found.stderr, scored=len(items)),), lambda: items)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.integers(1, 5)), min_size=2, max_size=9),
)
def test_a_weight_of_k_is_a_cluster_of_k_copies(pairs: list[tuple[float, int]]) -> None:
    """Mean and error of whole weights are those of as many copies that belong together."""
    found = average_items([weighted([one for one, _ in pairs], [float(k) for _, k in pairs])], "m")
    copies = [
        Item(f"{at}.{copy}", f"{at}.{copy}", {"m": one}, f"{at}")
        for at, (one, k) in enumerate(pairs)
        for copy in range(k)
    ]
    expected = average_items([copies], "m")
    assert found is not None
    assert expected is not None
    assert (found.mean, found.stderr) == (exactly(expected.mean), pytest.approx(expected.stderr, abs=1e-12))


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=9), st.sampled_from([0.1, 2.0, 1e9, 1e-9]))
def test_equal_weights_are_none(scores: list[float], weight: float) -> None:
    """Where all weigh the same, whatever it is, nothing changes to the last digit."""
    assert average_items([weighted(scores, [weight] * len(scores))], "m") == average_items(
        [weighted(scores, [1.0] * len(scores))], "m"
    )


def test_the_mean_by_hand() -> None:
    """The weighted mean, its linearised error, and Kish's effective number."""
    found = average_items([weighted(SCORES, WEIGHTS)], "m")
    assert found is not None
    assert found.mean == exactly(0.4)
    squares = sum((w * (x - 0.4)) ** 2 for x, w in zip(SCORES, WEIGHTS, strict=True))
    assert found.stderr == exactly(math.sqrt(5 / 4 * squares) / 10)
    assert found.effective == exactly(100 / 26)
    interval, basis = item_interval(found, 0.95)
    n = min(100 / 26, 0.24 / found.stderr**2)
    assert (interval, basis) == (exactly(wilson(0.4 * n, n, 0.95, 100 / 26 - 1)), "proportion")


def test_one_item_that_weighs_all_proves_little() -> None:
    """A hundred items of which one counts for all the others tell hardly more than one."""
    found = average_items([weighted([1.0, *([0.0, 1.0] * 50)], [1e9, *([1.0] * 100)])], "m")
    assert found is not None
    interval, _ = item_interval(found, 0.95)
    assert interval is not None
    assert interval[1] - interval[0] > 0.9


def test_equal_scores_of_unequal_weight() -> None:
    """All right says as much as so many items of equal weight would."""
    found = average_items([weighted([1.0] * 5, WEIGHTS)], "m")
    assert found is not None
    assert item_interval(found, 0.95)[0] == exactly(wilson(100 / 26, 100 / 26, 0.95))
    average = average_seeds("m", [replace(run_of(weighted([1.0] * 5, WEIGHTS)), distinct=False)])
    assert [note.text for note in average.notes] == ["weighted: 5 items tell as much as 3.85 of equal weight"]


def test_seeds_of_weighted_items() -> None:
    """Two seeds of the same items have the mean of their means, and the error of the items."""
    other = [0.0, 0.0, 1.0, 1.0, 1.0]
    found = average_items([weighted(SCORES, WEIGHTS), weighted(other, WEIGHTS)], "m")
    middle = average_items([weighted([(x + y) / 2 for x, y in zip(SCORES, other, strict=True)], WEIGHTS)], "m")
    assert found is not None
    assert middle is not None
    assert (found.mean, found.stderr, found.effective) == (
        exactly(middle.mean),
        exactly(middle.stderr),
        middle.effective,
    )


def test_rows_are_compared_by_weight() -> None:
    """The difference of two weighted rows is that of their means, with the error of the items' differences."""
    ours, theirs = weighted(SCORES, WEIGHTS), weighted([0.0, 0.0, 1.0, 0.0, 1.0], WEIGHTS)
    found = compare_rows("b", "sums", "a", "m", [run_of(ours)], [run_of(theirs)], 0.95).difference
    means = [average_items([side], "m") for side in (ours, theirs)]
    changes = average_items([weighted([1.0, 0.0, 0.0, 1.0, -1.0], WEIGHTS)], "m")
    assert found is not None
    assert means[0]
    assert means[1]
    assert changes
    assert found.mean == exactly(means[0].mean - means[1].mean)
    assert (found.stderr, found.test) == (exactly(changes.stderr), "t")


def test_unscored_samples_count_by_their_weight() -> None:
    """What a heavy sample without a score could change is what it weighs."""
    items = [*weighted(SCORES, WEIGHTS), Item("5", "hash 5", {}, weight=10.0)]
    run = run_of(items)
    run = replace(run, scores=(replace(run.scores[0], scored=5, unscored=1),))
    scores = [fill_unscored(run, "m", value).scores[0].value for value in (0.0, 1.0)]
    assert scores == [exactly(0.2), exactly(0.7)]


def test_stored_samples_give_the_weighted_mean() -> None:
    """A score on record is compared with the weighted mean of its samples."""
    pairs = enumerate(zip(SCORES, WEIGHTS, strict=True))
    rows = [{"id": f"{at}", "scores": {"m": one}, "weight": weight} for at, (one, weight) in pairs]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    run = run_of(weighted(SCORES, WEIGHTS))
    assert [one.agreement for one in compare_scores(run.scores, data)] == [Agreement.EXACT]
    wrong = (replace(run.scores[0], value=0.6),)
    assert [one.agreement for one in compare_scores(wrong, data)] == [Agreement.CONTRADICTED]
    assert not asks_all_once(SampleCounts.of(data.split(b"\n")).counts)
