"""Power: how many items a comparison needs, and how small a difference it can detect."""

from __future__ import annotations

import math

from evalmake.scoring.distributions import norm_ppf, two_sided


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
