"""Other methods for intervals, to measure beside those in use: each from its source, at 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from evalmake.scoring.distributions import beta_cdf, norm_cdf, norm_ppf, t_ppf
from evalmake.scoring.intervals import Interval, mean_se

_UPPER = 0.975


def clopper_pearson(successes: float, n: float) -> Interval:
    """The exact, conservative interval of a proportion (Clopper and Pearson 1934; n may be effective)."""
    low = beta_ppf(1 - _UPPER, successes, n - successes + 1) if successes > 0 else 0.0
    return low, beta_ppf(_UPPER, successes + 1, n - successes) if successes < n else 1.0


def jeffreys(successes: float, n: float) -> Interval:
    """The Bayesian interval under Beta(1/2, 1/2) (Brown, Cai and DasGupta 2001)."""
    a, b = successes + 0.5, n - successes + 0.5
    return beta_ppf(1 - _UPPER, a, b), beta_ppf(_UPPER, a, b)


def beta_ppf(p: float, a: float, b: float) -> float:
    """The quantile of Beta(a, b): `beta_cdf` bisected."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_cdf(middle, a, b) < p else (low, middle)
    return (low + high) / 2


def clipped_t(mean: float, stderr: float, df: float) -> Interval:
    """Student's t, cut off at 0 and 1."""
    half = t_ppf(_UPPER, df) * stderr
    return max(0.0, mean - half), min(1.0, mean + half)


def logit_t(scores: Sequence[float]) -> Interval:
    """Student's t on the log-odds of the mean, half an observation added at 0 and at 1."""
    n = len(scores)
    mean = (math.fsum(scores) + 0.5) / (n + 1)
    squares = math.fsum(score * score for score in scores) + 0.5 - (n + 1) * mean * mean
    error = math.sqrt(squares / n / n) / (mean * (1 - mean))
    middle, half = math.log(mean / (1 - mean)), t_ppf(_UPPER, n - 1) * error
    return 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))


def bca(scores: Sequence[float], draw: Random, draws: int = 999) -> Interval:
    """The bias-corrected and accelerated bootstrap (Efron 1987)."""
    n, mean = len(scores), math.fsum(scores) / len(scores)
    means = sorted(sum(draw.choices(scores, k=n)) / n for _ in range(draws))
    below = sum(one < mean for one in means) + sum(one == mean for one in means) / 2
    bias = norm_ppf(min(max(below / draws, 1 / draws), 1 - 1 / draws))
    squares = math.fsum((score - mean) ** 2 for score in scores)
    if squares == 0:
        return mean, mean
    acceleration = math.fsum((score - mean) ** 3 for score in scores) / (6 * squares**1.5)

    def quantile(p: float) -> float:
        z = bias + norm_ppf(p)
        return means[min(draws - 1, int(norm_cdf(bias + z / (1 - acceleration * z)) * draws))]

    return quantile(1 - _UPPER), quantile(_UPPER)


def betting(scores: Sequence[float], points: int = 200) -> Interval:
    """The hedged capital interval of Waudby-Smith and Ramdas (2024), on a grid of candidate means."""
    n, alpha = len(scores), 0.05
    total, squares, bets = 0.5, 0.25, []
    for at, score in enumerate(scores, start=1):
        bets.append(math.sqrt(2 * math.log(2 / alpha) * at / (n * squares)))
        total += score
        squares += (score - total / (at + 1)) ** 2
    inside = [
        mean
        for point in range(points)
        if _hedged_capital(scores, bets, mean := (point + 0.5) / points) < math.log(1 / alpha)
    ]
    return (inside[0], inside[-1]) if inside else (mean_se(scores).mean or 0.0,) * 2


def _hedged_capital(scores: Sequence[float], bets: Sequence[float], mean: float) -> float:
    """The logarithm of half of what the better of the bets on a higher and on a lower mean has won."""
    up = math.fsum(math.log1p(min(bet, 0.5 / mean) * (s - mean)) for bet, s in zip(bets, scores, strict=True))
    down = math.fsum(math.log1p(-min(bet, 0.5 / (1 - mean)) * (s - mean)) for bet, s in zip(bets, scores, strict=True))
    return max(up, down) - math.log(2)


def wald_paired(a_only: int, b_only: int, n: int) -> Interval:
    """Student's t of paired 0/1 differences."""
    mean = (a_only - b_only) / n
    half = t_ppf(_UPPER, n - 1) * math.sqrt(max(0.0, (a_only + b_only) / n - mean * mean) / (n - 1))
    return mean - half, mean + half
