"""The average of a row over its columns, as of a model over several benchmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalmake.scoring.seed_average import SeedAverage


def average_columns(cells: Sequence[SeedAverage]) -> SeedAverage:
    """The mean of the columns, each counting the same, however many items it has.

    The columns are given, not drawn from others there could be, and independent of each other.  So the interval
    squares and adds what theirs reach to either side, mean - sqrt(sum (m_i - l_i)^2) / G and likewise above (Zou and
    Donner 2008, the generalisation of Newcombe's): like theirs, it does not leave 0 to 1.  No mean if one is not known,
    or if some columns are not shares from 0 to 1 and so on a scale of their own.
    """
    means = [cell.mean for cell in cells if cell.mean is not None]
    if len(means) < max(1, len(cells)) or not (len(cells) == 1 or all(0 <= mean <= 1 for mean in means)):
        return SeedAverage(None)
    count = len(cells)
    mean = math.fsum(means) / count
    errors = [cell.stderr for cell in cells if cell.stderr is not None]
    stderr = math.hypot(*errors) / count if len(errors) == count else None
    lows = [one - cell.low for one, cell in zip(means, cells, strict=True) if cell.low is not None]
    highs = [cell.high - one for one, cell in zip(means, cells, strict=True) if cell.high is not None]
    if len(lows) < count or len(highs) < count:
        return SeedAverage(mean, stderr, lack="not every column has an interval")
    low, high = mean - math.hypot(*lows) / count, mean + math.hypot(*highs) / count
    basis = cells[0].basis if len({cell.basis for cell in cells}) == 1 else "mean"
    return SeedAverage(mean, stderr, low, high, basis=basis)
