"""Finds the conditions that a cell matches without trying each of them on each cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from evalmake.language.diagnostic import make_error
from evalmake.language.source import Span
from evalmake.project.axes import AxisValue, with_type
from evalmake.project.conditions import Condition

_MOST_TRIES = 10_000_000


class ConditionIndex:
    """The `when`s or `skip`s of an eval, each under the values that one of its tests allows."""

    def __init__(self, conditions: Sequence[Condition], span: Span) -> None:
        """`span`: the place of the eval, for the error that there are too many."""
        self._conditions, self._span, self._tries = conditions, span, 0
        self._tested: dict[int, dict[tuple[str, AxisValue], list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, condition in enumerate(conditions):
            axis, wanted = min(condition.tests, key=lambda test: len(test[1]))
            for value in wanted:
                self._tested[axis][value].append(number)

    def find(self, cell: Sequence[AxisValue]) -> tuple[int, ...]:
        """The numbers of the conditions that the cell matches, in order. EvalmakeError if this would take minutes."""
        found: list[int] = []
        for axis, by_value in self._tested.items():
            if numbers := by_value.get(with_type(cell[axis])):
                self._tries += len(numbers)
                found += [number for number in numbers if self._conditions[number].matches(cell)]
        if self._tries > _MOST_TRIES:
            message = f"its conditions would be tried on its cells more than {_MOST_TRIES} times"
            raise make_error("too-large", message, self._span, help=["write fewer, or several evals"])
        return tuple(sorted(found))
