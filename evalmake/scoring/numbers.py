"""Numbers as people read them: rounded, and never to something that they are not."""

from __future__ import annotations

import math

_EXACT = 1e15
"""From here on a float has no decimals, and its digits say nothing."""

_ROUNDING = 1e-6


def is_nearly_equal(one: float, other: float) -> bool:
    """Whether two numbers differ by no more than rounding."""
    return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)


def format_estimate(mean: float | None, low: float | None, high: float | None) -> str:
    """ "0.83 [0.79, 0.87]": a mean and its interval, with as many decimals as the interval deserves."""
    if mean is None:
        return "not scored"
    if low is None or high is None:
        return format_number(mean)
    digits = count_decimals((high - low) / 2)
    return f"{format_number(mean, digits)} {format_interval(low, high, digits)}"


def format_interval(low: float, high: float, digits: int = 3) -> str:
    """ "[0.79, 0.87]"."""
    return f"[{format_number(low, digits)}, {format_number(high, digits)}]"


def format_number(value: float, digits: int = 3, sign: str = "") -> str:
    """A number with so many decimals, halves away from zero, and more where it would read as 0 or 1 and is not.

    0.725 is 0.73 however it was summed, and 9999/10000 is 0.9999, not 1.000.
    """
    if abs(value) >= _EXACT:
        return f"{value:{sign}.4g}"
    nudged = value + math.copysign(1e-12, value) if value else 0.0
    while digits < 15 and any(float(f"{nudged:.{digits}f}") == edge != value for edge in (-1, 0, 1)):
        # What differs by the noise of a float sum is equal.
        if any(math.isclose(value, edge, abs_tol=1e-12) for edge in (-1, 0, 1)):
            break
        digits += 1
    return f"{nudged:{sign}.{digits}f}"


def format_short(value: float) -> str:
    """A number with four significant digits, and more where it would read as 0 or 1 and is not: "0.684"."""
    texts = (f"{value:.{digits}g}" for digits in range(4, 13))
    return next((text for text in texts if float(text) not in (-1, 0, 1)), f"{value:.4g}")


def count_decimals(half: float) -> int:
    """How many decimals, 2 to 4, a number deserves whose interval is `half` to either side."""
    return min(4, max(2, math.ceil(-math.log10(half)))) if half > 0 else 2


def format_given(number: float) -> str:
    """A number as somebody wrote it: 80 is "80", and 0.1 + 0.2 is "0.3"."""
    return f"{number:.12g}"


def format_percent(share: float) -> str:
    """A share as it was asked for: "95%", "99.5%", "99.99%"."""
    return f"{share * 100:.10g}%"
