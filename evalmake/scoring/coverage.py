"""Coverage: the share of samples that was scored, and what the rate could be with the rest."""

from __future__ import annotations

from dataclasses import dataclass

from evalmake.scoring.intervals import Interval


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a rate could be if every unscored sample were wrong, or right."""

    value: float | None  # over the scored samples alone
    bounds: Interval
    coverage: float  # the share that was scored


def coverage_bounds(correct: int, scored: int, total: int) -> Coverage:
    """Complete-case rate, coverage, and the bounds [k/N, (k + m)/N] for m unscored samples of N.

    (Manski 1990: bounds without assumptions about why something is missing.)
    """
    if not 0 <= correct <= scored <= total or total == 0:
        raise ValueError(f"{correct} right of {scored} scored of {total} is impossible")
    value = correct / scored if scored else None
    return Coverage(value, (correct / total, (correct + total - scored) / total), scored / total)
