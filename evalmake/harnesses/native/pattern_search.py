"""Searches with the patterns of users, for a limited time: some take longer than the age of the universe."""

from __future__ import annotations

import re

from evalmake.harnesses.native.time_limit import limit_time

MOST_SECONDS = 1.0


def search(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match; TooSlow after a second."""
    why = ": it tries too many ways to match, as (a+)+ does"
    with limit_time(MOST_SECONDS, f"the pattern {pattern.pattern!r}", why):
        return pattern.search(text)
