"""Intervals that hold at whatever sample one stops, for scores in [0, 1]: confidence sequences by betting.

A bettor starts with wealth 1 and bets on each score x against "the mean is m": the wealth is multiplied by
1 + b (x/m - 1), where 0 < b < 1 is the part of it that is put on scores above m. If the mean is m, no bet gains on
average, so the wealth is a supermartingale, and by Ville's inequality it ever reaches 1/a with a probability of a at
most. Another bettor bets on scores below m by 1 + b ((1 - x)/(1 - m) - 1). The interval at confidence 1 - a holds
each m against which neither wealth has reached 2/a (Waudby-Smith and Ramdas 2024, "Estimating means of bounded
random variables by betting", sections 4.1 and 4.4).

Each wealth is divided among `BETS`, once, before the first score: that is a bettor, too. No bet depends on the scores
before, so the wealth, and with it the interval, depends on which scores there are, and not on their order. Bets near 0
suit means near m after many scores, bets near 1 means far from it after few: `python -m tests.benchmarks statistics`
prints how often the interval misses, how wide it is, and when it decides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalmake.scoring.intervals import Interval

BETS = tuple((step / 21) ** 2 for step in range(1, 21))
"""The parts of the wealth that are put on each score: 0.002 to 0.91, the closer the smaller."""
_STEPS = 24  # of halving: the ends of an interval are exact to 6e-8


@dataclass(slots=True)
class BettingTest:
    """Whether a mean is on one side of `bound`, asked after every score; `confidence` holds for all of them together.

    With a bound of 0 or of 1, no score says that the mean is beyond it.
    """

    bound: float
    confidence: float
    _above: list[float] = field(init=False)
    """The logarithms of the wealth of each bet on scores above the bound."""
    _below: list[float] = field(init=False)
    _gains: dict[float, tuple[list[float], list[float]]] = field(default_factory=dict)
    """What each score adds to both: there are few different ones."""

    def __post_init__(self) -> None:
        self._above = [0.0] * len(BETS)
        self._below = [0.0] * len(BETS)

    def add(self, score: float) -> None:
        """Take one more score, from 0 to 1."""
        if score not in self._gains:
            self._gains[score] = _find_gains(self.bound, score), _find_gains(1 - self.bound, 1 - score)
        above, below = self._gains[score]
        self._above = list(map(add, self._above, above))
        self._below = list(map(add, self._below, below))

    @property
    def side(self) -> int:
        """1 if the mean is above the bound, -1 if it is below, 0 if that is not decided."""
        enough = _log_enough(self.confidence)
        if _log_mean(self._above) >= enough:
            return 1
        return -1 if _log_mean(self._below) >= enough else 0


def _find_gains(mean: float, score: float) -> list[float]:
    """What a score adds to the logarithm of the wealth of each bet on scores above a mean; of none, as they go to 1."""
    return [math.log1p(bet * (score / mean - 1)) if 0 < mean < 1 else 0.0 for bet in BETS]


def anytime_interval(scores: Iterable[float] | Mapping[float, int], confidence: float) -> Interval:
    """The interval of the mean of scores from 0 to 1, or of counts of them, whenever one stopped to ask for more."""
    counts = Counter(scores)
    enough = _log_enough(confidence)
    low = _find_end(counts, enough)
    high = _find_end({1 - score: count for score, count in counts.items()}, enough)
    return low, 1 - high


def span_intervals(runs: Sequence[Sequence[float]], confidence: float) -> Interval:
    """The interval of the mean of runs, each of which stopped by itself: from the least low end to the greatest high.

    It holds the mean at the confidence of one, with no correction: to lie above the mean, it would have to lie above
    the true score of the run that has the least (an intersection-union test; Berger 1982). So what every run decided
    for itself is decided of their mean.
    """
    found = [anytime_interval(scores, confidence) for scores in runs]
    return min(low for low, _ in found), max(high for _, high in found)


def _find_end(counts: Mapping[float, int], enough: float) -> float:
    """The least mean that is not refuted by bets on scores above it; the wealth falls as the mean grows."""
    total = sum(counts.values())
    low, high = 0.0, math.fsum(score * count for score, count in counts.items()) / total if total else 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _log_wealth(counts, middle) >= enough:
            low = middle
        else:
            high = middle
    return low


def _log_wealth(counts: Mapping[float, int], mean: float) -> float:
    """The logarithm of the wealth of who bets on scores above a mean."""
    found = [math.fsum(count * math.log1p(bet * (score / mean - 1)) for score, count in counts.items()) for bet in BETS]
    return _log_mean(found)


def _log_enough(confidence: float) -> float:
    """The logarithm of the wealth that refutes a mean: each side has half of the error."""
    return math.log(2 / (1 - confidence))


def _log_mean(logarithms: list[float]) -> float:
    most = max(logarithms)
    return most + math.log(math.fsum(math.exp(one - most) for one in logarithms) / len(logarithms))
