"""Metrics that are shares by their names, and what is said of a score of them that is none."""

from __future__ import annotations

import re

from evalmake.scoring.numbers import format_given

_SHARE_NAME = re.compile(
    r"(?:(?:mean|avg|average|macro|micro|weighted|balanced|overall)[_-])?"
    r"(?:acc(?:uracy)?|em|(?:exact|quasi|prefix)[_-]?(?:exact[_-]?)?match|f1(?:[_-]score)?|precision|recall"
    r"|(?:pass|success|solve|win|hit)[_-]?rate|(?:pass|maj|cons|acc|hit|hits|recall|precision)(?:@|_at_|\^)\w+)"
    r"(?:[_-](?:norm|mean|avg|macro|micro|weighted|strict|flexible|raw))?",
    re.IGNORECASE,
)
_PERCENT = 100


def is_share_name(metric: str) -> bool:
    """Whether a metric of this name goes from 0 to 1, or to 100 in percent; a filter after a comma is left out."""
    return _SHARE_NAME.fullmatch(metric.split(",")[0].strip()) is not None


def describe_impossible_share(metric: str, value: float) -> str:
    """What is wrong with a value that a metric cannot have by its name, on either scale; empty if it can have it."""
    if not is_share_name(metric) or 0 <= value <= _PERCENT:
        return ""
    return f"{format_given(value)}: by its name it is a share, from 0 to 1 or from 0 to 100"


def describe_percent_scale(metric: str, value: float | None) -> str:
    """What to say of a share that is above 1: it goes to 100, or is wrong; empty for any other score."""
    if value is None or value <= 1 or not is_share_name(metric):
        return ""
    found = f"{metric} is {format_given(value)}, and by its name a share from 0 to 1"
    return f"{found}: if it goes to 100, write its bounds so, too"
