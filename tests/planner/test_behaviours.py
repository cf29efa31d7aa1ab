"""Behaviour numbers of a harness's parts, among the reasons why a result is out of date."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from evalmake.planner.action import Action
from evalmake.planner.digest import Part, describe_change
from evalmake.planner.staleness import find_part_changes

BEFORE = {"harness": "native/1", "scorer": "choice"}


class Parts:
    """A store that has one part."""

    def part(self, digest: str) -> Mapping[str, str]:
        """The walk of the part."""
        return dict(Part.of(BEFORE).pairs)


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        (BEFORE | {"behaviours": {"scorer choice": 2}}, [("scorer choice", "behaviour 1 -> 2")]),
        (
            {"harness": "native/1", "scorer": "number", "behaviours": {"scorer number": 2}},
            [("benchmark.scorer", "choice -> number")],
        ),
        (
            {"harness": "command/1", "scorer": "choice", "behaviours": {"scorer choice": 2}},
            [("benchmark.harness", "native/1 -> command/1")],
        ),
    ],
    ids=["changed", "another-scorer", "another-harness"],
)
def test_only_a_changed_part_is_a_reason(now: dict[str, object], reasons: list[tuple[str, str]]) -> None:
    """A part whose number rose is named; a part that was chosen anew is not, because the choice is the reason."""
    action = Action.of("evaluate", {"benchmark": Part.of(now)})
    changes = find_part_changes({"benchmark": Part.of(BEFORE).digest}, action, Parts())  # type: ignore[arg-type]
    assert [describe_change(change.path, change.before, change.now) for change in changes] == reasons
