"""Which scorers read an answer out of a reply, so that the answers of several samples can be counted."""

from __future__ import annotations

from collections.abc import Sequence

_SCORERS = ("exact", "number", "math", "choice", "choices", "regex")


def counts_votes(scorers: Sequence[str]) -> bool:
    """Whether the samples of an item that has these scorers have a majority."""
    return len(scorers) == 1 and scorers[0] in _SCORERS
