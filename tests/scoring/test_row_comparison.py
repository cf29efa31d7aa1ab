"""Rows of a report against a baseline: what is paired, which test, and what is said where none is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from evalmake.scoring.comparisons import Difference, detectable_difference, holm, paired_proportions
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.item import average_items
from evalmake.scoring.result_set import Item, Result, ResultSet, Run, Score
from evalmake.scoring.row_comparison import RowComparison, compare_rows, judge_comparisons
from tests.scoring.vectors import PAIRED, VECTORS, exactly
from tests.support.results import make_result


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


def run_of(found: Sequence[Item]) -> Run:
    """A run that left these items, and their mean as its accuracy."""
    mean = average_items([found], "accuracy")
    return Run((Score("accuracy", mean and mean.mean, 0.05, scored=len(found)),), lambda: found)


def against(ours: Sequence[Sequence[Item]], theirs: Sequence[Sequence[Item]]) -> RowComparison:
    """A comparison of the accuracy."""
    sides = ([run_of(found) for found in side] for side in (ours, theirs))
    return compare_rows("b", "sums", "a", "accuracy", *sides, 0.95)


def difference(found: RowComparison) -> Difference:
    """Its difference, which is there."""
    assert found.difference is not None
    return found.difference


def test_zeros_and_ones() -> None:
    """Scores of 0 and 1 have Tango's interval and the p of its test."""
    row = PAIRED["binary_20"]
    table = row["contingency"]
    found = difference(against([items(row["a"])], [items(row["b"])]))
    assert found == paired_proportions(table["a_only"], table["b_only"], 20)
    assert (found.mean, found.stderr, found.test) == (exactly(row["diff"]), exactly(row["se_paired"]), "Tango")


def test_scores_of_0_and_100() -> None:
    """On a scale that says so they have the same test, and a difference in its points."""
    row = PAIRED["binary_20"]
    sides = [[run_of(items([100 * value for value in row[name]]))] for name in ("a", "b")]
    found = difference(compare_rows("b", "sums", "a", "accuracy", *sides, 0.95, MetricKind("percent")))
    share = difference(against([items(row["a"])], [items(row["b"])]))
    assert found.interval == pytest.approx([100 * end for end in share.interval or ()])
    assert (found.mean, found.stderr) == pytest.approx((100 * share.mean, 100 * (share.stderr or 0)))
    assert (found.p, found.test) == (share.p, "Tango")


def test_other_scores() -> None:
    """Scores of any size have the paired t interval and its p."""
    row = PAIRED["fractional"]
    found = difference(against([items(row["a"])], [items(row["b"])]))
    assert (found.p, found.interval, found.test) == (exactly(row["p_t"]), exactly(row["ci_t"]), "t")


def test_clusters() -> None:
    """Items in clusters have the clustered error, and its p though the scores are 0 and 1."""
    row = PAIRED["binary_20"]
    found = difference(against([items(row["a"], row["clusters"])], [items(row["b"], row["clusters"])]))
    assert (found.stderr, found.test) == (exactly(row["se_paired_clustered_corrected"]), "clustered t")


def test_repeated_questions_are_clusters() -> None:
    """Five copies of each question are no more questions."""
    a, b = ([Item(str(at), f"hash {at % 4}", {"accuracy": float(at % 4 < k)}) for at in range(20)] for k in (3, 1))
    found = difference(against([a], [b]))
    assert (found.mean, found.n, found.test) == (0.5, 20, "clustered t")
    assert found.stderr == exactly(math.sqrt(0.25 / 3))


def test_runs_make_no_new_items() -> None:
    """Seeds that repeat the same answers leave the difference, its error and n as they are."""
    row = PAIRED["fractional"]
    once = difference(against([items(row["a"])], [items(row["b"])]))
    thrice = difference(against([items(row["a"])] * 3, [items(row["b"])] * 3))
    assert thrice.n == once.n == 6
    assert thrice.stderr == exactly(once.stderr)
    assert against([items(row["a"])], [items(row["a"])] * 3).p == 1


def test_seeds_are_averaged_inside_items() -> None:
    """An item that one seed got right and another not counts one half."""
    found = difference(against([items([1, 1]), items([0, 1])], [items([0, 1])]))
    assert (found.mean, found.n) == (0.25, 2)


@pytest.mark.parametrize(
    ("other", "dropped"),
    [
        ([Item("0", "hash 0", {"accuracy": 1.0}), Item("1", "changed", {"accuracy": 1.0})], 1),
        ([Item("0", "hash 0", {"accuracy": 1.0})], 1),
        ([Item("0", "hash 0", {"accuracy": 1.0}), Item("1", "hash 1", {"f1": 1.0})], 1),
        ([*items([1, 1]), Item("2", "hash 2", {"accuracy": 1.0})], 1),
    ],
    ids=["changed", "absent", "unscored", "more"],
)
def test_only_the_same_items_are_paired(other: list[Item], dropped: int) -> None:
    """An item that is absent, changed or unscored on one side is left out, and counted."""
    found = against([items([0, 0])], [other])
    assert found.paired
    assert difference(found).n == len(other) + (len(other) == 1) - 1
    assert found.dropped == dropped


def test_nothing_in_common() -> None:
    """Without a single pair the two are compared as unrelated, and it is said why."""
    strangers = [Item(str(at), f"other {at}", {"accuracy": float(at < 15)}) for at in range(20)]
    found = against([items([1.0] * 8 + [0.0] * 12)], [strangers])
    assert not found.paired
    assert (difference(found).test, difference(found).n) == ("Newcombe", 40)
    assert difference(found).mean == exactly(0.4 - 0.75)
    assert found.note == "the two have no scored item in common"


def test_equal_answers_have_p_1_and_a_shift_none() -> None:
    """No difference at all is p = 1 and a bound; one that never varies leaves nothing to test."""
    same, shift = PAIRED["identical"], PAIRED["constant_shift"]
    found = difference(against([items(same["a"])], [items(same["b"])]))
    assert (found.p, found.test) == (1, "rule of three")
    found = difference(against([items(shift["a"])], [items(shift["b"])]))
    assert (found.p, found.test, found.interval) == (None, "none", None)


def test_one_cluster_says_nothing() -> None:
    """A single cluster has no error: a difference, and no p."""
    found = difference(against([items([1, 1, 0], "ccc")], [items([0, 1, 0], "ccc")]))
    assert (found.p, found.test, found.interval) == (None, "none", None)


def test_the_verdict_is_holm_s() -> None:
    """Holm's method sees every p there is; what only its own p would call significant is not, and marked."""
    ps = VECTORS["multiple_comparisons"]["p"]
    plain = [RowComparison("b", "c", "a", "accuracy", Difference(0.1, 0.05, None, p, 9, "t")) for p in ps]
    plain.insert(3, RowComparison("b", "c", "a", "accuracy", note="none"))
    found = judge_comparisons(plain, 0.95)
    assert found[3] == plain[3]
    known = [one for one in found if one.difference]
    assert [one.p_holm for one in known] == exactly(holm(ps))
    assert [one.significant for one in known] == VECTORS["multiple_comparisons"]["holm_reject_0.05"]
    assert [one.lost_to_adjustment for one in known] == [p < 0.05 <= h for p, h in zip(ps, holm(ps), strict=True)]
    assert {one.compared for one in known} == {len(ps)}


def test_power_is_of_the_alpha_that_is_used() -> None:
    """Where Holm's method ends at a comparison, the alpha it used there is the one of the detectable difference."""
    plain = [RowComparison("b", "c", "a", "m", Difference(0.1, 0.05, None, p, 9, "t")) for p in (0.001, 0.3, 0.5)]
    first, *others = judge_comparisons(plain, 0.95)
    assert (first.significant, first.detectable) == (True, None)
    for one in others:
        assert (one.alpha, one.detectable) == (exactly(0.025), exactly(detectable_difference(0.05, 0.025)))


# --- In a report ---------------------------------------------------------------------------------


def result(model: str, seed: int, value: float | None, **axes: Any) -> Result:
    """One run of the eval `grid`."""
    return make_result({"model": model, **axes, "seed": seed}, Score("accuracy", value))


def compare(items_of: Any, *results: Result) -> tuple[RowComparison, ...]:
    """The comparisons with the row `a`."""
    plain = ResultSet("r", results, (), (), "plan", compare="a", read_items=items_of)
    return plain.with_comparisons().row_comparisons


def test_each_row_against_the_baseline() -> None:
    """Every row but the baseline has a comparison of its own, p adjusted for all of them."""
    scores = {"a": [0, 0, 0, 0, 0, 0], "b": [1, 1, 1, 1, 1, 1], "c": [1, 0, 0, 0, 0, 0]}
    means = {name: sum(values) / 6 for name, values in scores.items()}
    found = compare(lambda r: items(scores[r.model]), *(result(name, 1, mean) for name, mean in means.items()))
    p = paired_proportions(6, 0, 6).p
    assert p is not None
    assert [(one.row, one.baseline, one.p, one.p_holm) for one in found] == [
        ("b", "a", p, 2 * p),
        ("c", "a", paired_proportions(1, 0, 6).p, paired_proportions(1, 0, 6).p),
    ]


def test_divided_rows_meet_their_likes() -> None:
    """Rows that another axis divides are compared where that axis is the same."""
    cells = [result(m, 1, 0.5, limit=limit) for m in ("a", "b") for limit in (2, 4)]
    found = compare(lambda r: items([1, 0]), *cells)
    assert [(one.row, one.baseline) for one in found] == [
        ("b (limit=2)", "a (limit=2)"),
        ("b (limit=4)", "a (limit=4)"),
    ]


def test_an_undivided_baseline_serves_all() -> None:
    """The only baseline of a column is that of every row in it; where there is none, it is said."""
    cells = [result("a", 1, 0.5, limit=2), *(result("b", 1, 0.5, limit=n) for n in (2, 4))]
    found = compare(lambda r: items([1, 0]), *cells)
    assert [(one.row, one.baseline) for one in found] == [
        ("b (limit=2)", "a"),
        ("b (limit=4)", "a"),
    ]
    other = replace(cells[0], benchmark="words")
    found = compare(lambda r: items([1, 0]), other, *cells[1:])
    assert {one.note for one in found} == {"a has no result that is otherwise alike"}


def test_what_was_asked_otherwise_is_named() -> None:
    """Limits, parameters and prompts that differ between two rows stand beside them; seeds count."""
    one = replace(result("a", 1, 0.5), settings={"limit": "10", "params.temperature": "0.7", "prompt": "'x'"})
    other = replace(result("b", 1, 0.5), settings={"limit": "30", "prompt": "'x'"})
    (found,) = compare(lambda r: items([1, 0]), one, other, replace(other, seed=2))
    assert found.differences == (
        "limit 30 against 10",
        "params.temperature none against 0.7",
        "2 seeds against 1",
    )


def test_different_metrics_are_not_compared() -> None:
    """The headline of one row is not subtracted from another metric."""
    (found,) = compare(lambda r: items([1, 0]), result("a", 1, 0.5), replace(result("b", 1, 0.5), metric="f1"))
    assert (found.difference, found.note) == (None, "a has another headline metric, accuracy")


@pytest.mark.parametrize(
    ("left", "value"),
    [(None, 0.5), ([], 0.5), ([Item("0", "hash 0", {"f1": 1.0})], 0.5), (items([1, 0]), 0.75)],
    ids=["no-samples", "empty", "other-metric", "no-mean"],
)
def test_what_cannot_be_paired(left: Any, value: float) -> None:
    """Items that are not there, or whose mean is another number, are never paired: the means are compared."""
    known = replace(result("b", 1, value), scores=(Score("accuracy", value, 0.1, scored=50),))
    found = compare(lambda r: left if r.model == "b" else items([1, 0]), result("a", 1, 0.5), known)
    assert [one.paired for one in found] == [False]
    assert found[0].note == "b left no items of which accuracy is the mean"
    assert difference(found[0]).test == "Welch"
    (unknown,) = compare(lambda r: None, result("a", 1, 0.5), result("b", 1, value))
    assert unknown.difference is None
    assert unknown.note == "b and a left no items of which accuracy is the mean"
