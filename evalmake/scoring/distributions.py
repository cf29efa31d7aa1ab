"""Distribution functions and quantiles: normal, Student's t, beta. Pure functions, each with its source."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache


def norm_cdf(x: float) -> float:
    """P(Z <= x) for a standard normal Z: erfc(-x / sqrt 2) / 2, exact far into the lower tail."""
    return math.erfc(-x / math.sqrt(2)) / 2


@lru_cache(maxsize=1024)
def norm_ppf(p: float) -> float:
    """The standard normal quantile, 0 < p < 1."""
    check_probability(p)
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
    check_probability(p)
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


def check_probability(p: float) -> None:
    """ValueError unless 0 < p < 1."""
    if not 0 < p < 1:
        raise ValueError(f"a probability must lie between 0 and 1, not {p}")


def two_sided(confidence: float) -> float:
    """The upper probability of a two-sided interval: 0.95 -> 0.975."""
    check_probability(confidence)
    return (1 + confidence) / 2
