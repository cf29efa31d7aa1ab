"""Estimates and intervals for one set of scores: pure functions, each with its source.

`None` always means "cannot be estimated" and is never replaced by 0: one sample has no standard
error, no samples have no mean.  Comparisons of two sets are in `comparisons`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

Interval = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, its standard error and the number of units both rest on."""

    mean: float | None
    stderr: float | None
    n: int


# --- Distributions -------------------------------------------------------------------------------


def norm_cdf(x: float) -> float:
    """P(Z <= x) for a standard normal Z: erfc(-x / sqrt 2) / 2, exact far into the lower tail."""
    return math.erfc(-x / math.sqrt(2)) / 2


@lru_cache(maxsize=1024)
def norm_ppf(p: float) -> float:
    """The standard normal quantile, 0 < p < 1."""
    _check_probability(p)
    if p > 0.5:
        return -norm_ppf(1 - p)
    front = 1 / math.sqrt(2 * math.pi)
    return _lower_quantile(p, norm_cdf, lambda x: front * math.exp(-x * x / 2), 0.0)


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` > 0 degrees of freedom, which may be infinite.

    I_x(df/2, 1/2) / 2 at x = df / (df + t^2) for t <= 0 (Abramowitz and Stegun 26.7.1); above
    100 000 degrees of freedom the normal approximation 26.7.8, whose error is of order 1/df^2.
    """
    if df <= 0:
        raise ValueError(f"degrees of freedom must be positive, not {df}")
    if t > 0:
        return 1 - t_cdf(-t, df)
    if math.isinf(df) or math.isinf(t):
        return norm_cdf(t)
    if df > 100_000:
        return norm_cdf(t * (1 - 1 / (4 * df)) / math.sqrt(1 + t * t / (2 * df)))
    square = t * t
    return beta_cdf(df / (df + square), df / 2, 0.5, square / (df + square)) / 2


@lru_cache(maxsize=4096)
def t_ppf(p: float, df: float) -> float:
    """The quantile of Student's t, 0 < p < 1, from the normal one, which is nearer to 0."""
    _check_probability(p)
    if math.isinf(df):
        return norm_ppf(p)
    if p > 0.5:
        return -t_ppf(1 - p, df)
    log_front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2

    def density(t: float) -> float:
        return math.exp(log_front - (df + 1) / 2 * math.log1p(t * t / df))

    return _lower_quantile(p, lambda t: t_cdf(t, df), density, norm_ppf(p))


def _lower_quantile(p: float, cdf: Callable[[float], float], density: Callable[[float], float], start: float) -> float:
    """Newton's method down from `start`, at or above the root.

    Below 0 both distributions are convex, so every step stays above the root until rounding ends it.
    """
    x = start
    while True:
        step = (cdf(x) - p) / density(x)
        if step <= 1e-15 * abs(x):
            return x
        x -= step


def beta_cdf(x: float, a: float, b: float, complement: float | None = None) -> float:
    """The regularised incomplete beta function I_x(a, b), 0 <= x <= 1.

    The continued fraction of Abramowitz and Stegun 26.5.8, evaluated by Lentz's method.  Give
    `complement` = 1 - x where it is known more exactly than the subtraction can tell.
    """
    y = 1 - x if complement is None else complement
    if x <= 0 or y <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(y, b, a, x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log(y)
    return math.exp(log_front) * _beta_fraction(x, a, b) / a


def beta_ppf(p: float, a: float, b: float) -> float:
    """The quantile of Beta(a, b), 0 < p < 1: `beta_cdf` bisected down to neighbouring floats."""
    _check_probability(p)
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return middle


def _beta_fraction(x: float, a: float, b: float) -> float:
    """1/(1+ d1/(1+ d2/(1+ ...))), by the modified Lentz method (Numerical Recipes 6.4)."""
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value, m = d, 0
    while m == 0 or abs(c * d - 1) > 4e-15:
        m += 1
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + numerator * d) or tiny)
            c = (1 + numerator / c) or tiny
            value *= c * d
    return value


def _check_probability(p: float) -> None:
    if not 0 < p < 1:
        raise ValueError(f"a probability must lie between 0 and 1, not {p}")


def two_sided(confidence: float) -> float:
    """The upper probability of a two-sided interval: 0.95 -> 0.975."""
    _check_probability(confidence)
    return (1 + confidence) / 2


# --- Means and their intervals -------------------------------------------------------------------


def mean_se(values: Iterable[float]) -> Estimate:
    """The mean and its central-limit standard error, sqrt(sum (s - mean)^2 / (n - 1) / n).

    (Miller, "Adding Error Bars to Evals", arXiv 2411.00640, section 2.1.)
    """
    scores = list(values)
    n = len(scores)
    if n == 0:
        return Estimate(None, None, 0)
    mean = math.fsum(scores) / n
    return Estimate(mean, math.sqrt(_variance(scores, mean) / n) if n > 1 else None, n)


def _variance(values: Sequence[float], mean: float) -> float:
    """The sample variance (n - 1 in the denominator) of at least two values.

    Equal values are exactly 0 apart, whatever the rounding of their mean.
    """
    if min(values) == max(values):
        return 0.0
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def clustered_se(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """The standard error of a mean whose items come in clusters; None below two clusters.

    SE^2 = G/(G-1) * sum_g (sum_{i in g} (s_i - mean))^2 / n^2: the cluster-robust (Liang-Zeger)
    variance with its small-sample factor.  Use G - 1 degrees of freedom with it.
    """
    mean = mean_se(values).mean
    groups: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        groups.setdefault(cluster, []).append(value)
    if mean is None or len(groups) < 2:
        return None
    squares = math.fsum(math.fsum(s - mean for s in group) ** 2 for group in groups.values())
    return math.sqrt(len(groups) / (len(groups) - 1) * squares) / len(values)


def t_interval(mean: float, stderr: float, df: float, confidence: float = 0.95) -> Interval:
    """mean -/+ t(df) * stderr (Student 1908); infinite `df` gives the normal interval."""
    half = t_ppf(two_sided(confidence), df) * stderr
    return mean - half, mean + half


def interval(values: Iterable[float], confidence: float = 0.95) -> Interval | None:
    """The interval of a mean: Wilson for 0/1 scores, Student's t otherwise, None where neither fits.

    Error bars from the central limit theorem are too narrow for a few hundred 0/1 items (Bowyer,
    Aitchison and Ivanova, arXiv 2503.01747) and leave [0, 1].  Other scores that are all equal have
    no interval: one without a width would claim certainty.
    """
    scores = list(values)
    if scores and all(score in (0, 1) for score in scores):
        return wilson(math.fsum(scores), len(scores), confidence)
    estimate = mean_se(scores)
    if estimate.mean is None or not estimate.stderr:
        return None
    return t_interval(estimate.mean, estimate.stderr, estimate.n - 1, confidence)


def interval_from(mean: float | None, stderr: float | None, n: int, confidence: float = 0.95) -> Interval | None:
    """`interval` where only the summary is known; `n` = 0 says that the count is not known.

    None without a mean or a standard error, and for n = 1, whose standard error cannot be known.
    """
    if mean is None or stderr is None or n == 1:
        return None
    if is_binary(mean, stderr, n):
        return wilson(mean * n, n, confidence)
    return t_interval(mean, stderr, n - 1 if n else math.inf, confidence)


def is_binary(mean: float, stderr: float, n: int) -> bool:
    """Whether a summary can only be that of n scores of 0 and 1.

    No scores in [0, 1] vary more than mean * (1 - mean), and only zeros and ones vary as much
    (Bhatia and Davis 2000).  Both denominators in use are known: n - 1 and n.
    """
    if n < 2 or not 0 <= mean <= 1:
        return False
    most = mean * (1 - mean)
    return any(math.isclose(stderr**2, most / count, rel_tol=1e-6, abs_tol=1e-15) for count in (n - 1, n))


# --- Proportions ---------------------------------------------------------------------------------


def wilson(successes: float, n: float, confidence: float = 0.95, df: float = math.inf) -> Interval:
    """The score interval of a proportion; `n` > 0 may be an effective (fractional) sample size.

    centre (p + z^2/2n) / (1 + z^2/n), half-width z/(1 + z^2/n) * sqrt(p(1-p)/n + z^2/4n^2) (Wilson
    1927).  A finite `df` takes Student's t for z, where the effective size is itself estimated.
    """
    p = _share(successes, n)
    z = t_ppf(two_sided(confidence), df)
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if p == 0 else max(0.0, centre - half)
    return low, 1.0 if p == 1 else min(1.0, centre + half)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact, conservative interval of a proportion, from beta quantiles.

    (Clopper and Pearson 1934.)  Never covers less than `confidence`, and often much more.
    """
    _share(successes, n)
    upper = two_sided(confidence)
    low = beta_ppf(1 - upper, successes, n - successes + 1) if successes else 0.0
    high = beta_ppf(upper, successes + 1, n - successes) if successes < n else 1.0
    return low, high


def jeffreys(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The Bayesian interval of a proportion under Jeffreys' prior: Beta(k + 1/2, n - k + 1/2).

    (Brown, Cai and DasGupta 2001.)
    """
    _share(successes, n)
    upper = two_sided(confidence)
    a, b = successes + 0.5, n - successes + 0.5
    return beta_ppf(1 - upper, a, b), beta_ppf(upper, a, b)


def rule_of_three(n: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of a rate of which n trials showed none: 1 - (1 - confidence)^(1/n).

    (Hanley and Lippman-Hand 1983; about 3/n at 95 %.)
    """
    _check_probability(confidence)
    _share(0, n)
    return -math.expm1(math.log1p(-confidence) / n)


def _share(successes: float, n: float) -> float:
    """successes / n, checked; a mean times its n may overshoot by a rounding error."""
    if n <= 0 or not -1e-9 <= successes <= n * (1 + 1e-9):
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    return min(1.0, max(0.0, successes / n))


# --- Resampling ----------------------------------------------------------------------------------


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
    spread = math.sqrt(_variance(found, math.fsum(found) / draws))
    return Bootstrap(_quantile(found, 1 - upper), _quantile(found, upper), spread)


def _quantile(ordered: Sequence[float], p: float) -> float:
    """The linearly interpolated quantile (type 7 of Hyndman and Fan 1996)."""
    position = p * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
