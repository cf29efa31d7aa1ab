"""Evaluations that failed alike, as one error with the number of them and the first as an example."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evalmake.language.diagnostic import Diagnostic
from evalmake.scoring.failure_classes import find_pattern

_MOST_NAMES = 10


def fold_failed_evaluations(problems: Iterable[Diagnostic], order: Iterable[str] = ()) -> list[Diagnostic]:
    """The problems, those of evaluations that failed alike as one, where the first stood.

    `order` has the names of the evaluations: the example is the first of these, whichever failed first.
    """
    places = {name: place for place, name in enumerate(order)}
    groups: dict[object, list[Diagnostic]] = {}
    for number, problem in enumerate(problems):
        rest = problem.message.removeprefix(problem.subject)
        cures = tuple(text for text in problem.help if problem.subject not in text)
        alike = (problem.code, problem.severity, find_pattern(rest), cures) if problem.subject else number
        groups.setdefault(alike, []).append(problem)
    return [
        members[0] if len(members) == 1 else _fold(sorted(members, key=lambda one: places.get(one.subject, 0)))
        for members in groups.values()
    ]


def _fold(members: Sequence[Diagnostic]) -> Diagnostic:
    """Make one error of several: the first, the number of the others and their names."""
    first, others = members[0], [one.subject for one in members[1:]]
    more = f"{len(others)} more evaluation{'s' * (len(others) != 1)}"
    rest = first.message.removeprefix(first.subject)
    names = ", ".join(others[:_MOST_NAMES])
    left_out = f", and {len(others) - _MOST_NAMES} more" if len(others) > _MOST_NAMES else ""
    note = f"alike: {names}{left_out}: `evalmake results --failed` lists classes of failures"
    shared = [text for text in first.notes if all(text in one.notes for one in members)]
    return replace(first, message=f"{first.subject} and {more}{rest}", notes=(*shared, note))
