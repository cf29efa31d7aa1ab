"""Means, standard errors and confidence intervals of one set of scores: pure functions, each with its source.

`None` means "cannot be estimated" and never becomes 0: one sample has no standard error, no samples
have no mean.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from evalmake.scoring.distributions import beta_ppf, check_probability, t_ppf, two_sided

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, its standard error and the number of units both rest on."""

    mean: float | None
    stderr: float | None
    n: int


# --- Means -------------------------------------------------------------------------------------------


def mean_se(values: Iterable[float]) -> Estimate:
    """The mean and its central-limit standard error, sqrt(sum (s - mean)^2 / (n - 1) / n).

    (Miller, "Adding Error Bars to Evals", arXiv 2411.00640, section 2.1.)
    """
    scores = list(values)
    n = len(scores)
    if n == 0:
        return Estimate(None, None, 0)
    mean = math.fsum(scores) / n
    return Estimate(mean, math.sqrt(sample_variance(scores, mean) / n) if n > 1 else None, n)


def sample_variance(values: Sequence[float], mean: float) -> float:
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


def mean_interval(values: Iterable[float], confidence: float = 0.95) -> Interval | None:
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


def summary_interval(mean: float | None, stderr: float | None, n: int, confidence: float = 0.95) -> Interval | None:
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


# --- Proportions -------------------------------------------------------------------------------------


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
    check_probability(confidence)
    _share(0, n)
    return -math.expm1(math.log1p(-confidence) / n)


def _share(successes: float, n: float) -> float:
    """successes / n, checked; a mean times its n may overshoot by a rounding error."""
    if n <= 0 or not -1e-9 <= successes <= n * (1 + 1e-9):
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    return min(1.0, max(0.0, successes / n))
