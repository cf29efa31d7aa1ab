"""Repeats of the same items: one mean over items, and where its variance comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.scoring.intervals import mean_se


@dataclass(frozen=True, slots=True)
class Repeats:
    """Items answered several times: the estimate over items, and where its variance comes from."""

    mean: float | None
    stderr: float | None  # for new items of the same kind: what a score usually claims
    conditional: float | None  # for the same items asked again: a different question
    between: float | None  # omega^2, the variance of the items' true means
    within: float | None  # sigma^2, the mean variance of one item's answers
    identical: bool  # every repeat equals its first: cached, or asked with one seed


def average_repeats(items: Sequence[Sequence[float]]) -> Repeats:
    """Average inside each item first, then over items; ragged repeats are allowed.

    The law of total variance, Var(mean) = omega^2/n + sigma^2/(nK) (Miller, arXiv 2411.00640,
    section 3.1).  Treating repeats as items would be pseudo-replication: too small an error.
    """
    means = [mean_se(item) for item in items]
    if any(mean.n == 0 for mean in means):
        raise ValueError("an item without any answer has no mean: leave it out and count it")
    overall = mean_se([mean.mean for mean in means if mean.mean is not None])
    squares = [mean.stderr**2 for mean in means if mean.stderr is not None]
    if overall.stderr is None or len(squares) < len(means):
        return Repeats(overall.mean, overall.stderr, None, None, None, False)
    n = overall.n
    within = math.fsum(se2 * mean.n for se2, mean in zip(squares, means, strict=True)) / n
    noise = math.fsum(squares) / n
    between = max(0.0, overall.stderr**2 * n - noise)
    conditional = math.sqrt(noise / n)
    return Repeats(overall.mean, overall.stderr, conditional, between, within, within == 0)
