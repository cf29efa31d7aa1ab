"""The average of a row over its columns, as of a model over several benchmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalmake.scoring.seed_average import SeedAverage

Correlations = Sequence[Sequence[float]]
"""Of the errors of columns, each with each; 0 where they are independent."""


def average_columns(
    cells: Sequence[SeedAverage], weights: Sequence[float] | None = None, correlations: Correlations | None = None
) -> SeedAverage:
    """The mean of the columns by their weights, which are equal unless given; independent unless correlated.

    The columns are given, not drawn from others there could be.  So the interval squares and adds what theirs reach to
    either side, mean - sqrt(sum (w_i (m_i - l_i))^2) and likewise above (Zou and Donner 2008, the generalisation of
    Newcombe's): like theirs, it does not leave 0 to 1.  Columns that ask the same items are correlated by r, and
    2 r_ij w_i (m_i - l_i) w_j (m_j - l_j) is added under the root (Zou 2007).  No mean if one is not known.
    """
    means = [cell.mean for cell in cells if cell.mean is not None]
    if len(means) < max(1, len(cells)):
        return SeedAverage(None)
    shares = _find_shares(len(cells), weights)
    mean = math.fsum(share * one for share, one in zip(shares, means, strict=True))
    errors = [cell.stderr for cell in cells if cell.stderr is not None]
    stderr = _add(shares, errors, correlations) if len(errors) == len(cells) else None
    lows = [one - cell.low for one, cell in zip(means, cells, strict=True) if cell.low is not None]
    highs = [cell.high - one for one, cell in zip(means, cells, strict=True) if cell.high is not None]
    if len(lows) < len(cells) or len(highs) < len(cells):
        return SeedAverage(mean, stderr, lack="not every column has an interval")
    low, high = mean - _add(shares, lows, correlations), mean + _add(shares, highs, correlations)
    basis = cells[0].basis if len({cell.basis for cell in cells}) == 1 else "mean"
    return SeedAverage(mean, stderr, low, high, basis=basis)


def _find_shares(count: int, weights: Sequence[float] | None) -> list[float]:
    given = weights or [1.0] * count
    total = math.fsum(given)
    return [weight / total for weight in given]


def _add(shares: Sequence[float], errors: Sequence[float], correlations: Correlations | None) -> float:
    """The error of the weighted sum of what has these errors."""
    parts = [share * error for share, error in zip(shares, errors, strict=True)]
    if correlations is None:
        return math.hypot(*parts)
    products = (
        correlations[i][j] * one * other if i != j else one * one
        for i, one in enumerate(parts)
        for j, other in enumerate(parts)
    )
    return math.sqrt(max(0.0, math.fsum(products)))
