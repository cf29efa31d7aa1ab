"""One metric of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one run.  `value` is None where nothing could be scored, and never NaN."""

    metric: str
    value: float | None
    stderr: float | None = None
    low: float | None = None  # the interval as the harness gave it; reports compute their own
    high: float | None = None
    scored: int = 0  # samples; 0 beside a value says that the harness did not count them
    unscored: int = 0
    reported: float | None = None  # the harness's own standard error, where `stderr` is ours
    clusters: int | None = None  # of the scored samples, where `stderr` is cluster-robust

    def __post_init__(self) -> None:
        for number in (self.value, self.stderr, self.low, self.high, self.reported):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{self.metric} is {number}: write None for what is not known")

    @property
    def disagreement(self) -> str:
        """What to say where the harness's standard error is not the one of its samples."""
        ours, theirs = self.stderr, self.reported
        if ours is None or theirs is None or math.isclose(ours, theirs, rel_tol=0, abs_tol=1e-6):
            return ""
        return f"the harness reports a standard error of {theirs:.6g}, its samples give {ours:.6g}"
