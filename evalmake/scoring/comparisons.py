"""Two means compared, of the same items and of unrelated ones: the interval and p are of one procedure each."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalmake.scoring.distributions import norm_cdf, norm_ppf, t_cdf, two_sided
from evalmake.scoring.intervals import Interval, rule_of_three, t_interval
from evalmake.scoring.item import count_effective, find_influences, grouped_error, weighted_mean

Test = Literal["Tango", "t", "clustered t", "rule of three", "Newcombe", "Welch", "none"]


@dataclass(frozen=True, slots=True)
class Difference:
    """a - b with its error, interval and two-sided p, and the procedure that the latter two are of.

    The interval at confidence 1 - alpha excludes 0 where p < alpha, and only there.
    """

    mean: float
    stderr: float | None
    interval: Interval | None
    p: float | None
    n: int  # items; of both sides where they are not paired
    test: Test


# --- The same items twice --------------------------------------------------------------------------


def paired_proportions(a_only: int, b_only: int, n: int, confidence: float = 0.95) -> Difference:
    """The difference of two 0/1 means over the same n items: Tango's score interval (1998) and its test.

    `a_only` items only a got right, `b_only` only b.  The test at 0 is McNemar's (1947), without a
    correction.  Without any such item the score interval is too wide for what is known: then the share
    of items that differ is below 1 - alpha^(1/n) (the rule of three), and so is the difference.
    """
    difference = (a_only - b_only) / n
    differing = a_only + b_only
    stderr = math.sqrt(max(0.0, differing / n - difference**2) / (n - 1)) if n > 1 else None
    if not differing:
        bound = rule_of_three(n, confidence)
        return Difference(0.0, stderr, (-bound, bound), 1.0, n, "rule of three")
    p = 2 * norm_cdf(-abs(a_only - b_only) / math.sqrt(differing))
    z = norm_ppf(two_sided(confidence))
    low = _find_root(lambda delta: tango_score(a_only, b_only, n, delta) - z, -1.0, difference)
    high = _find_root(lambda delta: tango_score(a_only, b_only, n, delta) + z, difference, 1.0)
    return Difference(difference, stderr, (low, high), p, n, "Tango")


def tango_score(a_only: int, b_only: int, n: int, delta: float) -> float:
    """How many standard errors the observed difference lies above `delta`, were that the true one.

    The error is the one under `delta`: the share of items only b got right is its maximum-likelihood
    estimate with that difference held fixed (Tango 1998, equations 6 and 7).
    """
    linear = (2 * n - a_only + b_only) * delta - a_only - b_only
    root = math.sqrt(max(0.0, linear**2 + 8 * n * b_only * delta * (1 - delta)))
    share = (root - linear) / (4 * n)
    variance = n * (2 * share + delta * (1 - delta))
    distance = a_only - b_only - n * delta
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def paired_means(
    differences: Sequence[float],
    groups: Sequence[Hashable],
    bounded: bool,
    confidence: float = 0.95,
    weights: Sequence[float] | None = None,
) -> Difference:
    """The mean of item differences: Student's t, of G groups of items with G - 1 degrees of freedom.

    (Miller, arXiv 2411.00640, section 4.2; clusters by Liang and Zeger 1986.)  Differences of scores that are
    `bounded` to [0, 1] stay in [-1, 1]; if no item differs, the rule of three bounds them.  If all differ by the
    same, nothing tells how far that may be off.  Items with weights have the error of a weighted mean, and as many
    degrees of freedom as their number is worth (`item`).
    """
    own = weights or [1.0] * len(differences)
    mean, n, count = weighted_mean(differences, own), len(differences), len(set(groups))
    worth = count_effective(count, own)
    stderr = grouped_error(find_influences(differences, own), groups)
    # Equal differences are a rounding error apart: (0.5 - 0.4) != (0.7 - 0.6).
    noise = 1e-12 * max(1.0, *map(abs, differences))
    if max(map(abs, differences)) <= noise:
        bound = rule_of_three(worth, confidence)
        return Difference(0.0, 0.0, (-bound, bound) if bounded else None, 1.0, n, "rule of three")
    if stderr is None or stderr <= noise:
        return Difference(mean, None if stderr is None else 0.0, None, None, n, "none")
    p = 2 * t_cdf(-abs(mean) / stderr, worth - 1)
    low, high = t_interval(mean, stderr, worth - 1, confidence)
    interval = (max(-1.0, low), min(1.0, high)) if bounded else (low, high)
    return Difference(mean, stderr, interval, p, n, "t" if count == n else "clustered t")


# --- Different items -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One of two unrelated means: its error with its degrees of freedom, and its interval at any confidence."""

    mean: float
    stderr: float | None
    df: float
    n: int
    is_share: bool  # of scores from 0 to 1
    interval: Callable[[float], Interval | None]


def unpaired_difference(a: Side, b: Side, confidence: float = 0.95) -> Difference | None:
    """a - b of unrelated items; None if an error is not known.

    Shares have Newcombe's interval (1998, method 10), from the intervals of both sides (Zou and Donner 2008), and
    the p of its own inversion: the alpha at which it touches 0.  Other means have Welch's t (1947).
    """
    if a.is_share and b.is_share:
        return _newcombe(a, b, confidence)
    if a.stderr is None or b.stderr is None or not a.stderr + b.stderr:
        return None
    variances = (a.stderr**2, b.stderr**2)
    stderr = math.sqrt(sum(variances))
    df = sum(variances) ** 2 / sum(v * v / side.df for v, side in zip(variances, (a, b), strict=True))
    mean = a.mean - b.mean
    p = 2 * t_cdf(-abs(mean) / stderr, df)
    return Difference(mean, stderr, t_interval(mean, stderr, df, confidence), p, a.n + b.n, "Welch")


def _newcombe(a: Side, b: Side, confidence: float) -> Difference | None:
    mean = a.mean - b.mean

    def interval(confidence: float) -> Interval | None:
        ours, theirs = a.interval(confidence), b.interval(confidence)
        if ours is None or theirs is None:
            return None
        low = mean - math.hypot(a.mean - ours[0], theirs[1] - b.mean)
        return low, mean + math.hypot(ours[1] - a.mean, b.mean - theirs[0])

    found = interval(confidence)
    if found is None:
        return None

    def distance(z: float) -> float:
        """How far the interval of that many standard errors keeps from 0."""
        low, high = interval(1 - 2 * norm_cdf(-z)) or found
        return low if mean > 0 else -high

    p = 1.0 if mean == 0 else 2 * norm_cdf(-_find_root(distance, 1e-6, 8.0))
    stderr = math.hypot(a.stderr, b.stderr) if a.stderr is not None and b.stderr is not None else None
    return Difference(mean, stderr, found, p, a.n + b.n, "Newcombe")


# --- Several comparisons, and what could have been seen --------------------------------------------


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, keeping the chance of any false alarm (Holm 1979).

    The i-th smallest times (m - i + 1), made non-decreasing.
    """
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def detectable_difference(stderr: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true difference found with this power: (z_{1-alpha/2} + z_{power}) SE.

    Belongs beside every "no significant difference".
    """
    return (norm_ppf(two_sided(1 - alpha)) + norm_ppf(power)) * stderr


def _find_root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0, bisected; the end that is nearer if it does not."""
    for _ in range(80):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
