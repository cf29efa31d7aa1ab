"""How many items would decide a comparison: estimates from the variance that its own items have.

The error of a mean falls with the square root of the number of items. So with SE that of n items, an effect e is found
with power P at a level alpha by

    n' = n ((z_{1-alpha/2} + z_P) SE / e)^2

items (Cohen 1988; of paired items, SE has the variance of their differences: Miller, arXiv 2411.00640, section 5).
Clusters and weights are in SE. Both the variance and the effect are estimates themselves, and so is n'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalmake.scoring.comparisons import detectable_difference

POWER = 0.8
_MOST = 1e12


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How many items would probably decide, how many times those that were asked, and what is assumed for it."""

    items: int
    times: float
    effect: float  # the true difference that is assumed
    power: float = POWER


def find_size(items: int, stderr: float, distance: float, effect: float, alpha: float) -> SampleSize | None:
    """How many items would show that `effect` lies beyond a bound that is `distance` away; None if too many would.

    `items` and `stderr` are those of the comparison. Without a bound, the distance is the effect itself.
    """
    if not items or stderr <= 0 or not distance:
        return None
    times = (detectable_difference(stderr, alpha, POWER) / distance) ** 2
    return SampleSize(math.ceil(items * times), times, effect) if items * times < _MOST else None


def find_size_without_losses(items: int, margin: float, alpha: float) -> SampleSize | None:
    """How many items, none of which differs, bound the difference by `margin`: the inverse of the rule of three."""
    if not items or not 0 < margin < 1:
        return None
    needed = math.ceil(math.log(alpha) / math.log1p(-margin))
    return SampleSize(needed, needed / items, 0.0, 1.0)
