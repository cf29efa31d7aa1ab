"""Reads numbers as people and models write them: commas, currency, percent, fractions, powers of ten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

TOLERANCE = Fraction(1, 10**6)
"""Relative to the larger magnitude."""

_NUMBER = re.compile(
    r"""
    (?<![A-Za-z\d]) (?<!\d\.)                   # not inside a word or another number
    (?P<sign>[-+−]?) (?:[$€£¥]\s?)?
    (?:
        \\[dt]?frac\{(?P<top>\d+)\}\{(?P<bottom>0*[1-9]\d*)\}
      | (?<!/) (?:(?P<whole>\d+)[ ])? (?P<over>\d+)\s?/\s?(?P<under>0*[1-9]\d*) (?![\d/])
      | (?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d) | \d+) (?:\.\d+)? | (?<!\.)\.\d+)
        (?:[eE](?P<exponent>[-+]?\d{1,4})(?!\d))?
        (?:\s*(?:×|x|\*|\\times|\\cdot)\s*10\^\{?(?P<power>[-−+]?\d{1,4})(?!\d)\}?)?
    )
    (?P<percent>\s?\\?%)?
    """,
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number, whether a percent sign followed it, and how it was written."""

    value: Fraction
    percent: bool
    text: str


def find_last_number(text: str) -> Quantity | None:
    """Return the last number in a text; None if there is none."""
    for found in reversed(list(_NUMBER.finditer(text))):
        try:
            value = _parse_magnitude(found)
        except ValueError:  # thousands of digits
            continue
        negative = found["sign"] in ("-", "−")
        return Quantity(-value if negative else value, bool(found["percent"]), found[0].strip())
    return None


def are_equal(one: Quantity, other: Quantity) -> bool:
    """Whether two numbers are equal: whole numbers exactly, others within TOLERANCE.

    If only one has a percent sign, 50 % equals both 50 and 0.5, because data sets write either.
    """
    return _is_close(one.value, other.value) or _is_close(_as_share(one), _as_share(other))


def _as_share(quantity: Quantity) -> Fraction:
    return quantity.value / 100 if quantity.percent else quantity.value


def _parse_magnitude(found: re.Match[str]) -> Fraction:
    if found["top"]:
        return Fraction(int(found["top"]), int(found["bottom"]))
    if found["over"]:
        return int(found["whole"] or 0) + Fraction(int(found["over"]), int(found["under"]))
    digits = found["digits"].replace(",", "")
    power = int(found["exponent"] or 0) + int((found["power"] or "0").replace("−", "-"))
    if not power and "." not in digits:
        return Fraction(int(digits))
    return Fraction(f"{digits}e{power}")


def _is_close(one: Fraction, other: Fraction) -> bool:
    if one.denominator == other.denominator == 1:
        return one == other
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
