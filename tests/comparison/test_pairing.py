"""Which cells are compared with which, and in what their definitions differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalmake.comparison.cells import ComparedCell, Identity
from evalmake.comparison.differences import find_differences, find_identity_changes
from evalmake.comparison.pairing import explain_no_pair, pair_cells
from evalmake.planner.digest import Change


def cell(model: str, benchmark: str = "sums", seed: int = 1, eval: str = "grid", **axes: str) -> ComparedCell:
    """A cell at a place, whose definition is its model and benchmark."""
    digests = {"": f"{seed} {axes}", "model": model, "benchmark": benchmark}
    walks = {"": {"seed": str(seed), **axes}, "model": {"name": model}, "benchmark": {"task": benchmark}}
    place = {"eval": eval, **axes, "model": model, "benchmark": benchmark}
    return ComparedCell("/".join((*place.values(), str(seed))), place, seed, Identity(digests, walks))


def test_two_models_are_compared_on_each_benchmark() -> None:
    """What each side has one value of tells nothing apart; benchmarks of one side alone are named."""
    ours = [cell("a", name, seed) for name in ("sums", "words") for seed in (1, 2)]
    found = pair_cells(ours, [cell("b", "sums"), cell("b", "facts")])
    assert [pair.label for pair in found.pairs] == ["sums"]
    assert [one.seed for one in found.pairs[0].before] == [1, 2]
    assert (found.only_before, found.only_after) == (("words",), ("facts",))


def test_two_benchmarks_are_compared_by_their_names() -> None:
    """Two prompts of one benchmark are two names, and the label has both."""
    [pair] = pair_cells([cell("a", "sums")], [cell("a", "sums-cot")]).pairs
    assert pair.label == "sums -> sums-cot"


def test_other_axes_keep_apart() -> None:
    """An axis with several values pairs equal ones, and is named where the benchmark does not tell apart."""
    ours = [cell("a", temperature=value) for value in ("0", "1")]
    theirs = [cell("b", temperature=value) for value in ("1", "0", "2")]
    found = pair_cells(ours, theirs)
    assert [pair.label for pair in found.pairs] == ["sums (temperature=0)", "sums (temperature=1)"]
    assert found.only_after == ("sums (temperature=2)",)


def test_evals_need_not_have_one_name() -> None:
    """Where no eval is common, cells are paired whatever their eval, unless that would pool what differs."""
    theirs = [cell("b", "sums", eval="y"), cell("b", "words", eval="z")]
    ours = [cell("a", "sums", eval="x"), cell("a", "words", eval="x")]
    assert [pair.label for pair in pair_cells(ours, theirs).pairs] == ["sums", "words"]
    other = replace(cell("b", eval="z"), identity=Identity({"": "1", "model": "b", "benchmark": "hard"}))
    assert not pair_cells(ours, [cell("b", eval="y"), other]).pairs


def test_what_has_nothing_in_common_is_explained() -> None:
    """The values of each axis are named in which the sides have none in common."""
    ours, theirs = [cell("a")], [cell("b"), cell("c")]
    assert not pair_cells(ours, theirs).pairs
    assert list(explain_no_pair(ours, theirs)) == ["model: a on the first side, b, c on the second"]


def test_evaluations_that_evals_share_are_compared_once() -> None:
    """Two evals with the same cell give one comparison: a second would only adjust its p."""
    ours = [cell("a", eval=name) for name in ("x", "y")]
    assert len(pair_cells(ours, [cell("b", eval=name) for name in ("x", "y")]).pairs) == 1


def test_differences_are_told_once() -> None:
    """What differs everywhere is told for all, the rest for its benchmark; the seed is no difference."""
    ours = [cell("a", name) for name in ("sums", "words")]
    theirs = [cell("b", "sums", 2), cell("b", "words")]
    theirs[1] = ComparedCell(
        "w", theirs[1].place, 1, Identity({"model": "b", "benchmark": "new"}, theirs[1].identity.walks)
    )
    found = find_differences(pair_cells(ours, theirs).pairs)
    assert found.shared == (Change("model.name", "a", "b"),)
    assert found.of_seeds


@pytest.mark.parametrize("cut", [8, 39])
def test_parts_that_are_not_at_hand_differ_by_digest(cut: int) -> None:
    """Without a walk the digests tell that a part differs, and cut ones that it does not."""
    one, other = f"xxh128:{'1' * 32}", f"xxh128:{'2' * 32}"
    assert not find_identity_changes(Identity({"model": one[:cut]}), Identity({"model": one}))
    [change] = find_identity_changes(Identity({"model": one[:cut]}), Identity({"model": other}))
    assert (change.path, change.before, change.now) == ("model", one[:cut], other)
