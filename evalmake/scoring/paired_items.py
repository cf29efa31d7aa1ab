"""The items that two sides have in common, and how each scored: what every comparison of the same items rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalmake.scoring.item import Answers, Key, collect_answers
from evalmake.scoring.seed_average import Run

_NOISE = 1e-12  # means of equal scores are a rounding error apart


class Outcomes(NamedTuple):
    """How many items scored higher, lower and the same."""

    higher: int
    lower: int
    same: int


@dataclass(frozen=True, slots=True)
class PairedItems:
    """The scores of all items of two sides, over runs and repetitions, and the keys that are scored on both."""

    common: tuple[Key, ...]
    ours: Mapping[Key, Answers]
    theirs: Mapping[Key, Answers]

    @classmethod
    def of(cls, ours: Mapping[Key, Answers], theirs: Mapping[Key, Answers]) -> PairedItems:
        """An item is common where id and content agree, and both sides have a score of it."""
        both = sorted(ours.keys() & theirs.keys())
        return cls(tuple(key for key in both if ours[key].values and theirs[key].values), ours, theirs)

    @property
    def dropped(self) -> int:
        """How many items of either side the other has not, or has otherwise, or not scored."""
        paired = {id for id, _ in self.common}
        return len({id for id, _ in self.ours.keys() | self.theirs.keys()} - paired)

    def means(self) -> list[tuple[float, float]]:
        """The mean score of each common item, ours and theirs."""
        return [(self.ours[key].mean, self.theirs[key].mean) for key in self.common]

    @staticmethod
    def is_changed(ours: float, theirs: float) -> bool:
        """Whether two mean scores differ by more than rounding."""
        return abs(ours - theirs) > _NOISE


def pair_runs(ours: Sequence[Run], theirs: Sequence[Run], metric: str) -> PairedItems | None:
    """The items of two sides; None where a run left none of which the metric is the mean."""
    sides = [[run.items(metric) for run in runs] for runs in (ours, theirs)]
    here, there = ([items for items in side if items is not None] for side in sides)
    if len(here) < len(ours) or len(there) < len(theirs):
        return None
    return PairedItems.of(collect_answers(here, metric), collect_answers(there, metric))


def count_outcomes(differences: Sequence[float]) -> Outcomes:
    """Count differences above 0, below, and at 0."""
    higher = sum(one > _NOISE for one in differences)
    lower = sum(one < -_NOISE for one in differences)
    return Outcomes(higher, lower, len(differences) - higher - lower)
