"""Two sets of scores compared, how many items a comparison needs, and many comparisons at once."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from evalmake.scoring.intervals import Interval, clustered_se, mean_se, norm_ppf, t_cdf, t_interval, two_sided, wilson

# --- The same items twice ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """a - b with its error; `p` is two-sided.  Without a stderr, or with one of 0, there is no p."""

    mean: float
    stderr: float | None
    interval: Interval | None
    p: float | None
    n: int


def paired(
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


# --- Different items -----------------------------------------------------------------------------


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


# --- How many items, how small a difference ------------------------------------------------------


def sample_size_paired(
    delta: float,
    omega2: float,
    sigma2: tuple[float, float] = (0.0, 0.0),
    repeats: tuple[int, int] = (1, 1),
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """The items needed to see a paired difference of `delta` with the given power.

    n = (z_{1-alpha/2} + z_{power})^2 (omega^2 + sigma_A^2/K_A + sigma_B^2/K_B) / delta^2 (Miller,
    arXiv 2411.00640, section 5): omega^2 the variance of the items' true differences, sigma^2 the
    mean variance within an item, K the repeats of each.
    """
    noise = sum(s / k for s, k in zip(sigma2, repeats, strict=True))
    return math.ceil(_reach(alpha, power) ** 2 * (omega2 + noise) / delta**2)


def mde_paired(sd: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference n pairs can show: (z_{1-alpha/2} + z_{power}) sd(d) / sqrt n.

    Belongs beside every "no significant difference".
    """
    return _reach(alpha, power) * sd / math.sqrt(n)


def mde_unpaired(p: float, n_each: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The same for two sets of n unrelated 0/1 items near the rate p: sd = sqrt(2 p (1 - p))."""
    return mde_paired(math.sqrt(2 * p * (1 - p)), n_each, alpha, power)


def _reach(alpha: float, power: float) -> float:
    return norm_ppf(two_sided(1 - alpha)) + norm_ppf(power)


# --- Many comparisons ----------------------------------------------------------------------------


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, keeping the chance of any false alarm (Holm 1979).

    The i-th smallest times (m - i + 1), made non-decreasing: for gates.
    """
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, keeping the share of false alarms among all alarms.

    The i-th smallest times m / i, made non-decreasing from above (Benjamini and Hochberg 1995): for
    exploration.
    """
    adjusted, best = [0.0] * len(p), 1.0
    for rank, i in reversed(list(enumerate(sorted(range(len(p)), key=p.__getitem__), start=1))):
        best = min(best, len(p) * p[i] / rank)
        adjusted[i] = best
    return adjusted
