"""A run's scores, and the pooling of runs that differ only in their seed.

The runs of a cell ask the same items with different seeds.  With W the mean of their squared
standard errors and B the sample variance of their S means, the pooled

    SE^2 = W + B/S

is not too small on average.  A run's variance, (omega^2 + sigma^2)/n, holds that of the items and
that of the answers (law of total variance; Miller, arXiv 2411.00640, section 3.1).  The mean of S
such runs has omega^2/n + sigma^2/(nS) + tau^2/S, where tau^2 is whatever else a seed changes, and B
estimates sigma^2/n + tau^2.  So W takes no credit for asking the same items again, and B/S adds
what the seeds say.  Only per-item scores could tell omega from sigma (`aggregates.repeats`);
to treat S runs of n items as S*n items would be pseudo-replication.

Degrees of freedom are Satterthwaite's (1946), n - 1 for W and S - 1 for B/S; of items in clusters,
n is the number of clusters.  Where every run's summary can only be that of 0/1 scores, the interval
is Wilson's with the effective sample size p(1-p)/SE^2 (Kish 1965): it stays inside [0, 1] and has a
width at 0 and 1.  Other scores that do not vary at all have no interval: they do not prove certainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalmake.scoring.intervals import Interval, is_binary, mean_se, t_interval, wilson
from evalmake.scoring.score import Score

Basis = Literal["proportion", "mean", "runs", "none"]


@dataclass(frozen=True, slots=True)
class SeedAverage:
    """The mean of runs that differ only in their seed.

    `basis` says what the interval rests on: "proportion" (Wilson) and "mean" (Student's t) cover
    both items and seeds; "runs" covers only the spread of the runs, as no item error was reported;
    "none" is no interval at all.
    """

    mean: float | None
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0  # with a value
    samples: int = 0  # scored by the run that scored fewest: the items the interval rests on
    spread: float | None = None  # the standard deviation of the runs' values
    basis: Basis = "none"

    def __str__(self) -> str:
        """ "0.83 [0.79, 0.87]", with as many decimals (2 to 4) as the interval deserves."""
        if self.mean is None:
            return "not scored"
        if self.low is None or self.high is None:
            return format_rounded(self.mean, 3)
        digits = count_decimals((self.high - self.low) / 2)
        low, high = format_rounded(self.low, digits), format_rounded(self.high, digits)
        text = f"{format_rounded(self.mean, digits)} [{low}, {high}]"
        return f"{text} (runs only)" if self.basis == "runs" else text


def format_rounded(value: float, digits: int) -> str:
    """A number with so many decimals, halves away from zero: 0.725 is 0.73 however it was summed."""
    return f"{value + math.copysign(1e-12, value):.{digits}f}"


def count_decimals(half: float) -> int:
    """How many decimals, 2 to 4, a number deserves whose interval is `half` to either side."""
    return min(4, max(2, math.ceil(-math.log10(half)))) if half > 0 else 2


@dataclass(frozen=True, slots=True)
class _Run:
    value: float
    variance: float | None  # of the value, over items
    scored: int
    clusters: int | None

    @property
    def units(self) -> int:
        """What was drawn independently: clusters, or else samples; 0 where that is not known."""
        return self.scored if self.clusters is None else self.clusters

    @property
    def is_binary(self) -> bool:
        """Whether its units can only be zeros and ones."""
        return is_binary(self.value, math.sqrt(self.variance or 0.0), self.units)

    @property
    def is_share(self) -> bool:
        """Whether it is k of n, in clusters or not: no zeros and ones vary more."""
        k, most = self.value * self.scored, self.value * (1 - self.value)
        return self.is_binary or (
            self.clusters is not None
            and self.scored >= self.clusters
            and 0 <= self.value <= 1
            and math.isclose(k, round(k), rel_tol=0, abs_tol=1e-6)
            and (self.variance or 0.0) * (self.clusters - 1) <= most * (1 + 1e-6)
        )


def average_seeds(scores: Iterable[Score], confidence: float = 0.95) -> SeedAverage:
    """The mean of several seeds' scores of one metric, with an interval that errs on the wide side.

    Runs without a value are left out.  The formula is in this module's docstring.
    """
    runs = [_run(score, score.value) for score in scores if score.value is not None]
    means = mean_se(run.value for run in runs)
    if means.mean is None:
        return SeedAverage(None)
    basis, stderr, found = _error(runs, means.mean, (means.stderr or 0.0) ** 2, confidence)
    low, high = found or (None, None)
    spread = None if means.stderr is None else means.stderr * math.sqrt(means.n)
    samples = min(run.scored for run in runs)
    return SeedAverage(means.mean, stderr, low, high, means.n, samples, spread, basis)


def _run(score: Score, value: float) -> _Run:
    """One sample or cluster has no standard error, whatever a harness writes."""
    known = score.stderr is not None and 1 not in (score.scored, score.clusters)
    variance = (score.stderr or 0.0) ** 2 if known else None
    return _Run(value, variance, score.scored, score.clusters)


def _error(
    runs: Sequence[_Run], mean: float, seeds: float, confidence: float
) -> tuple[Basis, float | None, Interval | None]:
    """The standard error of the runs' mean and its interval; `seeds` is B/S."""
    count, units = len(runs), min(run.units for run in runs)
    variances = [run.variance for run in runs if run.variance is not None]
    binary = len(variances) == count and all(run.is_binary for run in runs)
    if len(variances) < count or not (binary or any(variances)):
        if count == 1 or seeds == 0:  # identical summaries say nothing of the uncertainty
            return "none", None, None
        return "runs", math.sqrt(seeds), t_interval(mean, math.sqrt(seeds), count - 1, confidence)
    items = math.fsum(variances) / count
    stderr = math.sqrt(items + seeds)
    if binary:
        return "proportion", stderr, _proportion(runs, mean, seeds, confidence)
    df = _freedom((items, units - 1 if units else math.inf), (seeds, count - 1))
    low, high = t_interval(mean, stderr, df, confidence)
    if all(run.is_share for run in runs):
        low, high = max(0.0, low), min(1.0, high)
    return "mean", stderr, (low, high)


def _proportion(runs: Sequence[_Run], p: float, seeds: float, confidence: float) -> Interval:
    """Wilson's interval; one run gives exactly that of its own k of n."""
    items = math.fsum(run.value * (1 - run.value) / run.units for run in runs) / len(runs)
    n = float(min(run.units for run in runs))
    if items + seeds > 0:
        n = min(n, p * (1 - p) / (items + seeds))
    df = _freedom((items, math.inf), (seeds, len(runs) - 1))
    return wilson(p * n, n, confidence, df)


def _freedom(*parts: tuple[float, float]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances, each given with its own."""
    parts = tuple((variance, df) for variance, df in parts if variance > 0)
    doubt = math.fsum(variance**2 / df for variance, df in parts)
    return math.fsum(variance for variance, _ in parts) ** 2 / doubt if doubt > 0 else math.inf
