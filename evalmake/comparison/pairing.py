"""Which cells of two sides are compared with which: those that differ only in what the sides as a whole differ in.

Where each side has one value of an axis, as two models have, that value tells nothing apart. Of an axis with several,
cells of the same value are compared. Seeds are pooled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evalmake.comparison.cells import BENCHMARK, EVAL, MODEL, ComparedCell

_NONE = "-"
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CellPair:
    """The cells of one benchmark on both sides, which differ among themselves in their seed alone."""

    label: str
    before: tuple[ComparedCell, ...]
    after: tuple[ComparedCell, ...]

    @property
    def is_same_result(self) -> bool:
        """Whether both sides are the very same attempts, or scored the same on each item."""
        one, other = ({_attempt_of(cell) for cell in side} for side in (self.before, self.after))
        return None not in one and (one == other or self._has_same_scores())

    def _has_same_scores(self) -> bool:
        """The same by their digests, where one side is a baseline."""
        if not any(cell.scored for cell in (*self.before, *self.after)):
            return False
        one, other = (sorted(cell.digest_scores() for cell in side) for side in (self.before, self.after))
        return "" not in one and one == other

    @property
    def asked_others(self) -> bool:
        """Whether a baseline on one side is of other items than the other side, as far as digests tell."""
        if not any(cell.asked for cell in (*self.before, *self.after)):
            return False
        one, other = ({cell.digest_questions() for cell in side} for side in (self.before, self.after))
        return "" not in (*one, *other) and one != other


@dataclass(frozen=True, slots=True)
class Pairing:
    """All pairs, and the benchmarks that only one side has."""

    pairs: tuple[CellPair, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()


def pair_cells(before: Sequence[ComparedCell], after: Sequence[ComparedCell]) -> Pairing:
    """Pair the cells of two sides; where no two are of one eval, evals are no matter."""
    axes = find_axes(before, after)
    found = _pair_by(axes, before, after)
    if not found.pairs and EVAL in axes:
        without = [axis for axis in axes if axis != EVAL]
        if all(_differ_in_seed(group) for side in (before, after) for group in _group(without, side).values()):
            return _pair_by(without, before, after)
    return found


def find_axes(before: Sequence[ComparedCell], after: Sequence[ComparedCell]) -> list[str]:
    """The axes that tell cells of one side apart; the benchmark comes first."""
    names = dict.fromkeys([BENCHMARK, *(name for cell in (*before, *after) for name in cell.place)])
    return [name for name in names if any(len(list_values(name, side)) > 1 for side in (before, after))]


def list_values(axis: str, side: Iterable[ComparedCell]) -> list[str]:
    """The values of an axis on one side."""
    return list(dict.fromkeys(cell.place.get(axis, _NONE) for cell in side))


def _pair_by(axes: Sequence[str], before: Sequence[ComparedCell], after: Sequence[ComparedCell]) -> Pairing:
    ours, theirs = _group(axes, before), _group(axes, after)
    distinct: dict[object, Key] = {}
    for key in ours:
        if key in theirs:  # evals that share their evaluations are compared once
            distinct.setdefault((_actions_of(ours[key]), _actions_of(theirs[key])), key)
    common = list(distinct.values())
    told, told_of_all = _find_told(axes, common), _find_told(axes, [*ours, *theirs])
    pairs = [
        CellPair(_label(key, axes, told, ours[key], theirs[key]), tuple(ours[key]), tuple(theirs[key]))
        for key in common
    ]
    only_before, only_after = (
        tuple(_label(key, axes, told_of_all, group, group) for key, group in side.items() if key not in other)
        for side, other in ((ours, theirs), (theirs, ours))
    )
    return Pairing(tuple(pairs), only_before, only_after)


def _group(axes: Sequence[str], side: Iterable[ComparedCell]) -> dict[Key, list[ComparedCell]]:
    groups: dict[Key, list[ComparedCell]] = {}
    for cell in side:
        group = groups.setdefault(tuple(cell.place.get(axis, _NONE) for axis in axes), [])
        if not any(one.identity.digests == cell.identity.digests for one in group):  # evals can share an evaluation
            group.append(cell)
    return groups


def _differ_in_seed(group: Sequence[ComparedCell]) -> bool:
    return len({cell.identity.without_seed() for cell in group}) == 1


def _find_told(axes: Sequence[str], keys: Sequence[Key]) -> list[str]:
    """The axes that a label names beside the benchmark: each that tells apart what the ones before do not."""
    told = [axis for axis in axes if axis == BENCHMARK]
    for axis in axes:
        seen: dict[Key, set[str]] = {}
        for key in keys:
            known = tuple(key[axes.index(one)] for one in told)
            seen.setdefault(known, set()).add(key[axes.index(axis)])
        if axis not in told and any(len(values) > 1 for values in seen.values()):
            told.append(axis)
    return [axis for axis in told if axis != BENCHMARK]


def _label(
    key: Key,
    axes: Sequence[str],
    told: Sequence[str],
    before: Sequence[ComparedCell],
    after: Sequence[ComparedCell],
) -> str:
    """ "sums", "sums -> sums-cot" or "sums (temperature=0.7)"."""
    one, other = before[0].place[BENCHMARK], after[0].place[BENCHMARK]
    name = one if one == other else f"{one} -> {other}"
    apart = ", ".join(_describe_value(axis, key[axes.index(axis)]) for axis in told)
    return f"{name} ({apart})" if apart else name


def _describe_value(axis: str, value: str) -> str:
    return value if axis in (EVAL, MODEL) else f"{axis}={value}"


def _actions_of(cells: Iterable[ComparedCell]) -> object:
    return tuple(tuple(sorted(cell.identity.digests.items())) or cell.name for cell in cells)


def _attempt_of(cell: ComparedCell) -> tuple[str, int] | None:
    return (cell.result.action, cell.result.attempt) if cell.result else None


def explain_no_pair(before: Sequence[ComparedCell], after: Sequence[ComparedCell]) -> Iterator[str]:
    """What each side has of every axis in which they have nothing in common."""
    for axis in find_axes(before, after):
        one, other = list_values(axis, before), list_values(axis, after)
        if not set(one) & set(other):
            yield f"{axis}: {_list(one)} on the first side, {_list(other)} on the second"


def _list(values: Sequence[str]) -> str:
    shown = ", ".join(values[:5])
    return f"{shown} and {len(values) - 5} more" if len(values) > 5 else shown
