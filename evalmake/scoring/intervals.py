"""Confidence intervals of one mean: pure functions, each with its source and what was measured of it.

`None` means "cannot be estimated" and never becomes 0: one sample has no standard error, no samples
have no mean.

Every interval of scores that cannot leave [0, 1] is Wilson's score interval (1927) at an effective sample
size, the number of independent 0/1 scores that would vary as much (Kish 1965; Korn and Graubard 1998 for
clusters). It is chosen by simulated coverage and width; `python -m tests.benchmarks statistics` prints both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalmake.scoring.distributions import t_ppf, two_sided
from evalmake.scoring.item import ItemMean

Interval = tuple[float, float]
Basis = Literal["proportion", "bounded", "mean", "runs", "anytime", "none"]
"""What an interval is: Wilson's of 0/1 scores, of other scores in [0, 1], Student's t of items or of runs,
and one that holds wherever asking stopped."""
EDGE = 0.1
"""How much of an observation `bounded_interval` adds at 0, and again at 1, to the variance."""
ROUNDED_UP = 4 / 3
"""A standard error that was rounded to one digit may be so many times too large: 0.15 is written as 0.2."""


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


def is_binary(mean: float, stderr: float, n: int) -> bool:
    """Whether a summary can only be that of n scores of 0 and 1.

    No scores in [0, 1] vary more than mean * (1 - mean), and only zeros and ones vary as much
    (Bhatia and Davis 2000).  Both denominators in use are known: n - 1 and n.
    """
    if n < 2 or not 0 <= mean <= 1:
        return False
    most = mean * (1 - mean)
    return any(math.isclose(stderr**2, most / count, rel_tol=1e-6, abs_tol=1e-15) for count in (n - 1, n))


def fits_share(mean: float, stderr: float, n: int) -> bool:
    """Whether a summary can be that of n scores from 0 to 1; 0 says that n is not known.

    Such scores do not vary more than zeros and ones of their mean (Bhatia and Davis 2000), but for rounding.
    """
    if not 0 <= mean <= 1 or (n == 0 and mean in (0, 1)):
        return False
    size = max(n, 2)
    middle = (size * mean + EDGE) / (size + 2 * EDGE)
    return stderr <= ROUNDED_UP * math.sqrt(middle * (1 - middle) / (size - 1))


# --- Intervals ---------------------------------------------------------------------------------------


def item_interval(found: ItemMean, confidence: float) -> tuple[Interval | None, Basis]:
    """The interval of a mean over items, and what it is; none where nothing tells how far it may be off."""
    if found.binary:
        interval = proportion_interval(found, confidence)
        return interval, "proportion" if interval else "none"
    if found.stderr is None:
        return None, "none"
    if found.lowest >= 0 and found.highest <= 1:
        return bounded_interval(found.mean, found.stderr, found.effective, confidence), "bounded"
    if found.stderr == 0:
        return None, "none"  # equal scores prove no certainty
    return t_interval(found.mean, found.stderr, found.effective - 1, confidence), "mean"


def explain_lack(found: ItemMean) -> str:
    """Why there is no interval of a mean over items; empty if there is one."""
    if found.groups > 1:
        bounded = found.lowest >= 0 and found.highest <= 1
        return "" if bounded or found.stderr else "all scores are equal"
    if found.clustered:
        return "one cluster tells nothing of others"
    return "" if found.binary else "one question tells nothing of others"


def proportion_interval(found: ItemMean, confidence: float) -> Interval | None:
    """Wilson's interval of 0/1 scores: as it is for items asked once, else at the effective size.

    n_eff = min(answers, p (1 - p) / SE^2), with the t quantile of G - 1 degrees of freedom for z, because
    the size is itself an estimate.  Scores that are all equal say nothing of how much seeds or clusters
    agree: then every group counts once.  Items of unequal weight count as Kish says (`item.count_effective`).
    """
    p, groups = found.mean, found.effective
    if (found.answers == groups and not found.weighted) or not found.stderr:
        # A single cluster says nothing, a single item its little.
        return None if found.clustered and found.groups < 2 else wilson(p * groups, groups, confidence)
    # Not more than there are answers to different questions.
    share = found.effective / found.groups
    n = min(found.answers * found.distinct / found.items * share, p * (1 - p) / found.stderr**2)
    return wilson(p * n, n, confidence, groups - 1)


def bounded_interval(mean: float, stderr: float, n: float, confidence: float) -> Interval:
    """The interval of scores in [0, 1] that are not all 0 or 1: judges' grades, F1.

    Wilson's at n_eff = n m (1 - m) / s^2, with the t quantile of n - 1 degrees of freedom.  Few scores
    near an edge rarely show the long tail to the other, and then s is far too small; so mean and variance
    of n_eff are of the sample and `EDGE` of an observation more at 0 and at 1.

    At 95 % this covers 94 to 99.6 % of six kinds of scores (beta, graded, many exact zeros, rare failures) with
    means of .02 to .97 and n of 20 to 400, where Student's t covers 51 to 96 and the BCa bootstrap 46 to 97.
    A logit-transformed t covers as much and is up to twice as wide, the betting interval of Waudby-Smith
    and Ramdas (2024) covers above 98 and is up to four times as wide.
    """
    size = n + 2 * EDGE
    middle = (n * mean + EDGE) / size
    squares = (n - 1) * stderr**2 * n + n * mean**2 + EDGE
    variance = (squares - size * middle**2) / (size - 1)
    effective = n * middle * (1 - middle) / variance
    return wilson(mean * effective, effective, confidence, n - 1)


def share_interval(mean: float, stderr: float, confidence: float) -> Interval:
    """Wilson's interval of a share of which only the error is known: at m (1 - m) / SE^2 zeros and ones."""
    size = mean * (1 - mean) / stderr**2
    return wilson(mean * size, size, confidence)


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


def t_interval(mean: float, stderr: float, df: float, confidence: float = 0.95) -> Interval:
    """mean -/+ t(df) * stderr (Student 1908); infinite `df` gives the normal interval."""
    half = t_ppf(two_sided(confidence), df) * stderr
    return mean - half, mean + half


def rule_of_three(n: float, confidence: float = 0.95) -> float:
    """The one-sided upper bound of a rate of which n trials showed none: 1 - (1 - confidence)^(1/n).

    (Hanley and Lippman-Hand 1983; about 3/n at 95 %.)
    """
    return -math.expm1(math.log1p(-confidence) / n)


def _share(successes: float, n: float) -> float:
    """successes / n, checked; a mean times its n may overshoot by a rounding error."""
    if n <= 0 or not -1e-9 <= successes <= n * (1 + 1e-9):
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    return min(1.0, max(0.0, successes / n))
