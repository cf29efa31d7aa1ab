"""Rows of a report against a baseline: what is paired, which test, and what is said where none is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalmake.scoring.multiple_comparisons import holm
from evalmake.scoring.power import mde_paired
from evalmake.scoring.result_set import Result, ResultSet, Score
from evalmake.scoring.row_comparison import Item, RowComparison, adjust_p_values, compare_rows

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("statistics_vectors.json").read_text())
PAIRED = {row["name"]: row for row in VECTORS["paired"]}


def exactly(value: Any) -> Any:
    """The vectors' own tolerance."""
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def items(scores: Sequence[float | None], clusters: Sequence[Any] | None = None) -> list[Item]:
    """One run: an item for each score, the same items in every run."""
    return [
        Item(
            str(at),
            f"hash {at}",
            {} if score is None else {"accuracy": score},
            str(clusters[at]) if clusters else None,
        )
        for at, score in enumerate(scores)
    ]


def against(ours: Sequence[Sequence[Item]], theirs: Sequence[Sequence[Item]]) -> RowComparison:
    """A compare_rows of the accuracy."""
    return compare_rows("b", "sums", "a", "accuracy", ours, theirs, 0.95)


def test_zeros_and_ones() -> None:
    """Scores of 0 and 1 have the paired interval and McNemar's exact p of the table."""
    row = PAIRED["binary_20"]
    found = against([items(row["a"])], [items(row["b"])])
    assert found.difference is not None
    assert found.difference.mean == exactly(row["diff"])
    assert found.difference.stderr == exactly(row["se_paired"])
    assert found.difference.interval == exactly(row["ci_t"])
    assert (found.p, found.test) == (exactly(row["mcnemar_exact_p"]), "McNemar")
    assert found.detectable == exactly(mde_paired(row["se_paired"] * math.sqrt(20), 20))


def test_few_other_scores() -> None:
    """Up to 20 scores of any size have the exact sign-flip p of the table."""
    row, flipped = PAIRED["fractional"], VECTORS["exact_sign_flip_permutation"]
    found = against([items(row["a"])], [items(row["b"])])
    assert (found.p, found.test) == (exactly(flipped["p_two_sided"]), "sign flip")
    assert found.difference is not None
    assert found.difference.interval == exactly(row["ci_t"])


def test_many_other_scores() -> None:
    """More than 20 have the p of the paired t test."""
    row = PAIRED["fractional"]
    found = against([items(row["a"] * 4)], [items(row["b"] * 4)])
    assert found.difference is not None
    assert (found.p, found.test) == (found.difference.p, "t")


def test_clusters() -> None:
    """Items in clusters have the clustered error, and its p though the scores are 0 and 1."""
    row = PAIRED["binary_20"]
    found = against([items(row["a"], row["clusters"])], [items(row["b"], row["clusters"])])
    assert found.difference is not None
    assert found.difference.stderr == exactly(row["se_paired_clustered_corrected"])
    assert (found.p, found.test) == (found.difference.p, "clustered t")


def test_runs_make_no_new_items() -> None:
    """Seeds that repeat the same answers leave the difference, its error and n as they are."""
    row = PAIRED["fractional"]
    once = against([items(row["a"])], [items(row["b"])])
    thrice = against([items(row["a"])] * 3, [items(row["b"])] * 3)
    assert once.difference is not None
    assert thrice.difference is not None
    assert thrice.difference.n == once.difference.n == 6
    assert thrice.difference.stderr == exactly(once.difference.stderr)
    assert against([items(row["a"])], [items(row["a"])] * 3).p == 1


def test_seeds_are_averaged_inside_items() -> None:
    """An item that one seed got right and another not counts one half."""
    found = against([items([1, 1]), items([0, 1])], [items([0, 1])])
    assert found.difference is not None
    assert (found.difference.mean, found.difference.n) == (0.25, 2)


@pytest.mark.parametrize(
    ("other", "unpaired"),
    [
        ([Item("0", "hash 0", {"accuracy": 1.0}), Item("1", "changed", {"accuracy": 1.0})], 1),
        ([Item("0", "hash 0", {"accuracy": 1.0})], 1),
        ([Item("0", "hash 0", {"accuracy": 1.0}), Item("1", "hash 1", {"f1": 1.0})], 1),
        ([*items([1, 1]), Item("2", "hash 2", {"accuracy": 1.0})], 1),
    ],
    ids=["changed", "absent", "unscored", "more"],
)
def test_only_the_same_items_are_paired(other: list[Item], unpaired: int) -> None:
    """An item that is absent, changed or unscored on one side is left out, and counted."""
    found = against([items([0, 0])], [other])
    assert found.difference is not None
    assert found.difference.n == len(other) + (len(other) == 1) - 1
    assert found.unpaired == unpaired


def test_nothing_in_common() -> None:
    """Without a single pair there is no difference, and it is said why."""
    found = against([items([1, 1])], [[Item("x", "y", {"accuracy": 1.0})]])
    assert (found.difference, found.p, found.unpaired) == (None, None, 3)
    assert found.note == "the two have no scored item in common"


def test_equal_answers_have_p_1_and_a_shift_none() -> None:
    """Where nothing varies there is nothing to test; no difference at all is p = 1."""
    same, shift = PAIRED["identical"], PAIRED["constant_shift"]
    assert against([items(same["a"])], [items(same["b"])]).p == 1
    assert against([items(shift["a"])], [items(shift["a"])]).p == 1
    found = against([items(shift["a"])], [items(shift["b"])])
    assert (found.p, found.test, found.detectable) == (None, "none", None)


def test_one_cluster_says_nothing() -> None:
    """A single cluster has no error: a difference, and no p."""
    found = against([items([1, 1, 0], "ccc")], [items([0, 1, 0], "ccc")])
    assert found.difference is not None
    assert (found.p, found.test, found.difference.interval) == (None, "none", None)


def test_adjusted_over_all_that_have_a_p() -> None:
    """Holm's method sees every p there is, and leaves those without one alone."""
    ps = VECTORS["multiple_comparisons"]["p"]
    plain = [RowComparison("b", "c", "a", "accuracy", p=p) for p in ps]
    plain.insert(3, RowComparison("b", "c", "a", "accuracy", note="none"))
    found = adjust_p_values(plain)
    assert found[3] == plain[3]
    assert [one.p_holm for one in found if one.p is not None] == exactly(holm(ps))


# --- In a report ---------------------------------------------------------------------------------


def result(model: str, seed: int, value: float | None, **axes: Any) -> Result:
    """One run of the eval `grid`."""
    cell = {"model": model, **axes, "seed": seed}
    return Result(
        name="/".join(map(str, ("grid", *cell.values()))),
        eval="grid",
        axes=tuple(cell.items()),
        model=model,
        benchmark="sums",
        seed=seed,
        metric="accuracy",
        scores=(Score("accuracy", value),),
        action="xxh128:00",
        attempt=1,
        attempts=1,
        reused=False,
        started="2026-08-21T14:02:00Z",
        seconds=1.0,
        usage={},
    )


def report(*results: Result, compare: str = "a") -> ResultSet:
    """A result set that compares with the row `a`."""
    return ResultSet("r", results, (), (), "plan", compare=compare)


def test_each_row_against_the_baseline() -> None:
    """Every row but the baseline has a compare_rows of its own, p adjusted for all of them."""
    scores = {"a": [0, 0, 0, 0, 0, 0], "b": [1, 1, 1, 1, 1, 1], "c": [1, 0, 0, 0, 0, 0]}
    means = {name: sum(values) / 6 for name, values in scores.items()}
    results = report(*(result(name, 1, mean) for name, mean in means.items()))
    found = results.with_comparisons(lambda r: items(scores[r.model])).row_comparisons
    assert [(one.row, one.baseline, one.p, one.p_holm) for one in found] == [
        ("b", "a", 2 / 64, 4 / 64),
        ("c", "a", 1.0, 1.0),
    ]


def test_divided_rows_meet_their_likes() -> None:
    """Rows that another axis divides are compared where that axis is the same."""
    cells = [result(m, 1, 0.5, limit=limit) for m in ("a", "b") for limit in (2, 4)]
    found = report(*cells).with_comparisons(lambda r: items([1, 0])).row_comparisons
    assert [(one.row, one.baseline) for one in found] == [
        ("b (limit=2)", "a (limit=2)"),
        ("b (limit=4)", "a (limit=4)"),
    ]


def test_an_undivided_baseline_serves_all() -> None:
    """The only baseline of a column is that of every row in it; where there is none, it is said."""
    cells = [result("a", 1, 0.5, limit=2), *(result("b", 1, 0.5, limit=n) for n in (2, 4))]
    found = report(*cells).with_comparisons(lambda r: items([1, 0])).row_comparisons
    assert [(one.row, one.baseline) for one in found] == [
        ("b (limit=2)", "a"),
        ("b (limit=4)", "a"),
    ]
    other = replace(cells[0], benchmark="words")
    found = report(other, *cells[1:]).with_comparisons(lambda r: items([1, 0])).row_comparisons
    assert {one.note for one in found} == {"a has no result that is otherwise alike"}


@pytest.mark.parametrize(
    ("left", "value", "note"),
    [
        (None, 0.5, "grid/b/1 left no accuracy of single items"),
        ([], 0.5, "grid/b/1 left no accuracy of single items"),
        ([Item("0", "hash 0", {"f1": 1.0})], 0.5, "grid/b/1 left no accuracy of single items"),
        (items([1, 0]), 0.75, "the accuracy of grid/b/1 is not the mean of its items"),
        (items([1, 0]), None, "the accuracy of grid/b/1 is not the mean of its items"),
    ],
    ids=["no-samples", "empty", "other-metric", "no-mean", "no-value"],
)
def test_what_cannot_be_compared(left: Any, value: float | None, note: str) -> None:
    """Items that are not there, or whose mean is another number, are never compared."""
    results = report(result("a", 1, 0.5), result("b", 1, value))
    (found,) = results.with_comparisons(lambda r: left if r.model == "b" else items([1, 0])).row_comparisons
    assert (found.difference, found.note) == (None, note)
