"""Two sets of scores compared: of the same items, and of unrelated items."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from evalmake.scoring.distributions import t_cdf
from evalmake.scoring.intervals import Interval, clustered_se, mean_se, t_interval, wilson

# --- The same items twice --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """a - b with its error; `p` is two-sided.  Without a stderr, or with one of 0, there is no p."""

    mean: float
    stderr: float | None
    interval: Interval | None
    p: float | None
    n: int


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Difference:
    """The mean of a_i - b_i over the same items, in the same order: Student's paired t.

    SE = sd(d)/sqrt n (Miller, arXiv 2411.00640, section 4.2), or clustered with G - 1 degrees of
    freedom.  SE = 0 with a difference is deterministic, or too few items to see it vary.
    """
    differences = [x - y for x, y in zip(a, b, strict=True)]
    estimate = mean_se(differences)
    if estimate.mean is None:
        raise ValueError("no items to compare")
    if clusters is None:
        stderr, df = estimate.stderr, estimate.n - 1
    else:
        stderr, df = clustered_se(differences, clusters), len(set(clusters)) - 1
    # Equal differences are a rounding error apart: (0.5 - 0.4) != (0.7 - 0.6).
    noise = 1e-12 * max(map(abs, (*a, *b)))
    if stderr is None or stderr <= noise:
        return Difference(estimate.mean, None if stderr is None else 0.0, None, None, estimate.n)
    p = 2 * t_cdf(-abs(estimate.mean) / stderr, df)
    found = t_interval(estimate.mean, stderr, df, confidence)
    return Difference(estimate.mean, stderr, found, p, estimate.n)


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two-sided p-values for paired 0/1 scores, exact and mid-p."""

    exact: float
    mid: float


def mcnemar(a_only: int, b_only: int) -> McNemar:
    """The binomial test at 1/2 of the items that only one of the two got right (McNemar 1947).

    Mid-p counts half of the observed outcome, and is less conservative (Fagerland, Lydersen and
    Laake 2013).  Without such items p = 1.
    """
    n, fewer = a_only + b_only, min(a_only, b_only)
    tail, term = 0, 1
    for i in range(fewer + 1):
        tail += term
        term = term * (n - i) // (i + 1)
    observed = math.comb(n, fewer)
    return McNemar(min(1.0, 2 * tail / 2**n), min(1.0, (2 * tail - observed) / 2**n))


def sign_flip(differences: Sequence[float]) -> float:
    """The exact two-sided p of a mean difference: every difference could have had either sign.

    (Fisher's randomisation test, 1935.)  At most 20 differences, 2^20 sums; beyond that `paired`.
    """
    if len(differences) > 20:
        raise ValueError(f"{len(differences)} differences are too many to enumerate: at most 20")
    sums = [0.0]
    for d in differences:
        sums = [s + d for s in sums] + [s - d for s in sums]
    least = abs(math.fsum(differences)) - 1e-12 * math.fsum(map(abs, differences))
    return sum(abs(s) >= least for s in sums) / len(sums)


# --- Different items -------------------------------------------------------------------------------


def independent_proportions(k1: int, n1: int, k2: int, n2: int, confidence: float = 0.95) -> Difference:
    """k1/n1 - k2/n2 of unrelated items: Wald's error, Newcombe's interval, Fisher's exact p.

    Newcombe 1998, method 10: the square-and-add of the two Wilson intervals.
    """
    p1, p2 = k1 / n1, k2 / n2
    (low1, high1), (low2, high2) = wilson(k1, n1, confidence), wilson(k2, n2, confidence)
    difference = p1 - p2
    found = (
        difference - math.hypot(p1 - low1, high2 - p2),
        difference + math.hypot(high1 - p1, p2 - low2),
    )
    stderr = math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return Difference(difference, stderr, found, _fisher(k1, n1, k2, n2), n1 + n2)


def _fisher(k1: int, n1: int, k2: int, n2: int) -> float:
    """The two-sided exact p: all tables with the same margins and no greater probability."""
    right, total = k1 + k2, n1 + n2
    whole = _log_choose(total, right)
    logs = [
        _log_choose(n1, i) + _log_choose(n2, right - i) - whole for i in range(max(0, right - n2), min(n1, right) + 1)
    ]
    observed = logs[k1 - max(0, right - n2)]
    return min(1.0, math.fsum(math.exp(log) for log in logs if log <= observed + 1e-7))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
