"""Says after which sample an evaluation with a stop rule has asked enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.project.stop_rule import StopRule
from evalmake.scoring.anytime import BettingTest, anytime_interval

STOPPED_AFTER = "stopped_after"
"""In the usage of an evaluation with a stop rule: after how many items it stopped, or was at its end."""
ITEMS_IN_ALL = "items_in_all"
"""Beside it: how many items it could have asked."""
_EVERY = 0.02
"""How much an interval must have grown in items before its width is looked at again."""


class OffScaleError(ValueError):
    """A score that is not from 0 to 1: no interval is known for it that holds wherever asking stops."""


@dataclass(slots=True)
class StopTest:
    """Takes the scores of samples in the order in which they are asked, and tells when that is enough.

    It depends on the scores alone, and not on when replies came: the same replies stop at the same sample.
    """

    rule: StopRule
    headline: str
    _tests: dict[tuple[str, float], BettingTest] = field(default_factory=dict)
    _open: set[tuple[str, float]] = field(default_factory=set)
    _scores: Counter[float] = field(default_factory=Counter)
    _next: int = 2
    _precise: bool = False

    def __post_init__(self) -> None:
        for metric, bound in self.rule.bounds:
            self._tests[metric or self.headline, bound] = BettingTest(bound, self.rule.confidence)
        self._open = set(self._tests)
        self._precise = self.rule.precision is None

    def add(self, scores: Mapping[str, float]) -> bool:
        """Take the scores of one more sample; whether it was enough. OffScaleError for one outside 0 to 1."""
        for key in sorted(self._open):
            if (score := scores.get(key[0])) is not None:
                self._tests[key].add(_check_share(key[0], score))
                if self._tests[key].side:
                    self._open.discard(key)
        if not self._precise and (score := scores.get(self.headline)) is not None:
            self._scores[_check_share(self.headline, score)] += 1
            self._precise = self._is_precise()
        return self._precise and not self._open

    def _is_precise(self) -> bool:
        """Whether the interval is narrow enough; it is looked at only at some samples, as that takes a while."""
        count = self._scores.total()
        if count < self._next:
            return False
        self._next = max(count + 1, int(count * (1 + _EVERY)))
        low, high = anytime_interval(self._scores, self.rule.confidence)
        return (high - low) / 2 <= (self.rule.precision or 0.0)


def is_sequential(usage: Mapping[str, float]) -> bool:
    """Whether an evaluation could stop when it knew enough: its intervals must hold whenever that was."""
    return STOPPED_AFTER in usage


def _check_share(metric: str, score: float) -> float:
    if not 0 <= score <= 1:
        raise OffScaleError(f"a sample has a score of {score:g} for `{metric}`, and `until` needs scores from 0 to 1")
    return score
