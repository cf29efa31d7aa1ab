"""Averages over tasks: micro (every item counts the same) and macro (every task counts the same)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalmake.scoring.intervals import Estimate


def micro_average(tasks: Sequence[Estimate]) -> Estimate:
    """Every item counts the same: sum n_g m_g / N, SE^2 = sum (n_g/N)^2 SE_g^2 (stratified mean).

    (Cochran, "Sampling Techniques", 5.3.)  Tasks without a mean are an error, not a zero.
    """
    total = sum(task.n for task in tasks)
    return _weighted(tasks, [task.n / total for task in tasks], total)


def macro_average(tasks: Sequence[Estimate]) -> Estimate:
    """Every task counts the same, the tasks being given: SE = sqrt(sum SE_g^2) / G.

    Where the tasks are a sample of the tasks there could be, take `mean_se` of their means.
    """
    return _weighted(tasks, [1 / len(tasks) for _ in tasks], len(tasks))


def _weighted(tasks: Sequence[Estimate], weights: Sequence[float], n: int) -> Estimate:
    means = [task.mean for task in tasks if task.mean is not None]
    errors = [task.stderr for task in tasks if task.stderr is not None]
    mean = math.fsum(w * m for w, m in zip(weights, means, strict=True))
    if len(errors) < len(tasks):
        return Estimate(mean, None, n)
    return Estimate(mean, math.hypot(*(w * se for w, se in zip(weights, errors, strict=True))), n)
