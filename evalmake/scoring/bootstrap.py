"""Bootstrap intervals, for statistics without a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evalmake.scoring.distributions import two_sided
from evalmake.scoring.intervals import sample_variance

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A percentile interval and the standard deviation of the drawn statistics."""

    low: float
    high: float
    stderr: float


def bootstrap(
    units: Sequence[T],
    statistic: Callable[[Sequence[T]], float],
    seed: int,
    draws: int = 10_000,
    confidence: float = 0.95,
) -> Bootstrap | None:
    """Resample units (items, or whole clusters; never repeats of an item) with replacement.

    The percentile interval of Efron 1979, for statistics without a formula (F1, BLEU, medians,
    ratios).  None for fewer than two units or a statistic that never moves.
    """
    from random import Random

    if len(units) < 2:
        return None
    draw = Random(seed).choices
    found = sorted(statistic(draw(units, k=len(units))) for _ in range(draws))
    if found[0] == found[-1]:
        return None
    upper = two_sided(confidence)
    spread = math.sqrt(sample_variance(found, math.fsum(found) / draws))
    return Bootstrap(_quantile(found, 1 - upper), _quantile(found, upper), spread)


def _quantile(ordered: Sequence[float], p: float) -> float:
    """The linearly interpolated quantile (type 7 of Hyndman and Fan 1996)."""
    position = p * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
