"""A metric averaged over the runs of a cell, which differ only in their seed, with its interval.

Where the samples are on record, the interval rests on the items (`item`, `intervals`).  Where a harness left
only its summary, nothing tells how much the runs agree on an item.  Then

    SE^2 = the mean of the runs' SE^2,

which takes no credit for asking again and so is never too small on average: the variance of one run,
(omega^2 + sigma^2)/n, bounds that of the mean of S runs, omega^2/n + sigma^2/(nS).  Means that can be of scores
from 0 to 1 are taken for such: their interval stays there. A metric whose scale is stated, from 0 to 1 or to 100, is
taken for what it is: it is divided by the greatest value, and its interval stays on the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from evalmake.scoring.anytime import span_intervals
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.intervals import (
    Basis,
    Interval,
    bounded_interval,
    explain_lack,
    fits_share,
    is_binary,
    item_interval,
    mean_se,
    share_interval,
    t_interval,
    wilson,
)
from evalmake.scoring.item import Item, ItemMean, average_items, find_repeated_runs, list_distinct_scores, mean_items
from evalmake.scoring.notes import Note
from evalmake.scoring.numbers import format_estimate
from evalmake.scoring.score import Score

ItemReader = Callable[[], Sequence[Item] | None]
_LACK_OF_SAMPLES = "asking stopped when enough was known, and the samples are not at hand"
FEW_CLUSTERS = 30  # below this, cluster-robust errors are themselves uncertain (Cameron and Miller 2015)


def no_items() -> None:
    """The items of a run that left none."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a cell: its scores, a function that reads its items, and the harness that ran it."""

    scores: tuple[Score, ...]
    read_items: ItemReader = no_items
    harness: str = ""
    distinct: bool = False  # whether it is known that no question repeats: then k of n tells all of 0/1 scores
    lack_of_items: str = ""  # why it has no items, if it had some
    sequential: bool = False  # whether it could stop when it knew enough
    settled: str = ""  # the metric of which its items are known to be the mean

    def score(self, metric: str) -> Score | None:
        """The score of one metric, or None if the harness did not report it."""
        return next((score for score in self.scores if score.metric == metric), None)

    def items(self, metric: str) -> Sequence[Item] | None:
        """Its items if the metric is their mean; else None, as for BLEU."""
        if metric == self.settled:
            return self.read_items()
        score = self.score(metric)
        items = self.read_items() if score and score.value is not None else None
        found = mean_items(items, metric) if items else None
        same = found is not None and score and math.isclose(found, score.value or 0.0, rel_tol=1e-6, abs_tol=1e-6)
        return items if same else None

    def settle(self, metric: str) -> Run:
        """The same run with the items of a metric read and checked once, for those who need them several times."""
        items = self.items(metric)
        return replace(self, read_items=lambda: items, settled=metric)

    def divide(self, metric: str, most: float) -> Run:
        """The same run with a metric divided by a number, in its scores and its items."""
        if most == 1:
            return self

        def read_items() -> list[Item] | None:
            items = self.read_items()
            return None if items is None else [_divide_item(item, metric, most) for item in items]

        scores = tuple(_divide_score(score, most) if score.metric == metric else score for score in self.scores)
        return replace(self, scores=scores, read_items=read_items, settled="")


def _divide_score(score: Score, most: float) -> Score:
    value, stderr = ((one if one is None else one / most) for one in (score.value, score.stderr))
    return replace(score, value=value, stderr=stderr, low=None, high=None, reported=None)


def _divide_item(item: Item, metric: str, most: float) -> Item:
    if metric not in item.scores:
        return item
    return item._replace(scores={**item.scores, metric: item.scores[metric] / most})


@dataclass(frozen=True, slots=True)
class SeedAverage:
    """The mean of runs that differ only in their seed.

    `basis` says what the interval is: "proportion" and "bounded" (Wilson's) and "mean" (Student's t) cover
    the choice of items; "runs" covers only the spread of the runs, as no error over items was reported;
    "none" is no interval at all, and `lack` says why.
    """

    mean: float | None
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0  # with a value, those that repeat another run left out
    samples: int = 0  # scored by the run that scored fewest; 0 if that was not counted
    spread: float | None = None  # the standard deviation of the runs' values
    basis: Basis = "none"
    reported_by: str = ""  # the harness, if only its own summary is known
    notes: tuple[Note, ...] = ()  # what a reader of the number must know
    lack: str = ""  # why there is no interval

    def __str__(self) -> str:
        """ "0.83 [0.79, 0.87]", with as many decimals as the interval deserves."""
        text = format_estimate(self.mean, self.low, self.high)
        return f"{text} (runs only)" if self.basis == "runs" else text


def find_most(metric: str, runs: Sequence[Run], kind: MetricKind) -> float | None:
    """The greatest value on the stated scale of a metric; None if none is stated, or a run's value is not on it."""
    values = [score.value for run in runs if (score := run.score(metric)) and score.value is not None]
    return None if any(map(kind.describe_value, values)) else kind.most


def average_seeds(
    metric: str, runs: Iterable[Run], confidence: float = 0.95, kind: MetricKind = UNKNOWN_KIND
) -> SeedAverage:
    """The mean of a metric over runs, and its interval, which stays on the scale that `kind` states.

    Runs without a value are left out.
    """
    known = list(runs)
    most = find_most(metric, known, kind)
    found = pool_runs(metric, [run.divide(metric, most or 1) for run in known], is_share=most is not None)
    if found is None:
        return SeedAverage(None)
    interval, basis = found.interval(confidence)
    low, high = interval or (None, None)
    if most is not None and interval:
        low, high = max(0.0, interval[0]), min(1.0, interval[1])
    mean, stderr, low, high, spread = (
        multiply(number, most or 1) for number in (found.mean, found.stderr, low, high, found.spread)
    )
    return SeedAverage(
        mean,
        stderr,
        low,
        high,
        found.runs,
        found.samples,
        spread,
        basis,
        found.reported_by,
        (*found.notes, *_describe_interval(found, interval, basis)),
        found.lack,
    )


def multiply(number: float | None, most: float) -> float | None:
    """A share of `most` as a number, without the noise of having been divided by it."""
    return number if number is None or most == 1 else float(f"{number * most:.13g}")


def _describe_interval(found: Pool, interval: Interval | None, basis: Basis) -> Iterator[Note]:
    """Why there is no interval, or why one leaves 0 to 1 around a mean that does not."""
    if found.lack:
        yield Note("no-interval", f"no interval: {found.lack}")
    told = interval if basis == "mean" and found.reported_by and 0 <= found.mean <= 1 else None
    if told and (told[0] < 0 or told[1] > 1):
        yield Note("scale", "the standard error is too large for scores from 0 to 1, so the interval leaves them")


@dataclass(frozen=True, slots=True)
class Pool:
    """The runs of a cell taken together, at any confidence."""

    mean: float
    stderr: float | None
    df: float  # of the standard error
    runs: int
    samples: int
    spread: float | None
    interval: Callable[[float], tuple[Interval | None, Basis]]
    reported_by: str = ""
    notes: tuple[Note, ...] = ()
    lack: str = ""  # why there is no interval


def pool_runs(metric: str, runs: Iterable[Run], is_share: bool = False) -> Pool | None:
    """Take the runs together that have a value of the metric; None if none has one.

    `is_share` says that the metric is known to lie between 0 and 1.
    """
    known = [(run, score) for run in runs if (score := run.score(metric)) and score.value is not None]
    if not known:
        return None
    if len(known) == 1 and known[0][0].distinct and not known[0][0].sequential and _is_plain_share(known[0][1]):
        score = known[0][1]
        return _pool_summaries([score], "", is_share)
    items = [one for run, _ in known if (one := run.items(metric)) is not None]
    scores = [score for _, score in known]
    sequential = any(run.sequential for run, _ in known)
    unlike = _describe_unlike_runs(items, scores)
    if len(items) < len(known):
        pool = _pool_summaries(scores, known[0][0].harness, is_share)
        if sequential:
            pool = replace(pool, interval=lambda confidence: (None, "none"), lack=_LACK_OF_SAMPLES)
        return replace(pool, notes=(*unlike, *pool.notes))
    repeated = find_repeated_runs(items) if len(items) > 1 else []
    identical = len(items) > 1 and len(repeated) == len(items) - 1
    found = average_items(items[:1] if identical else items, metric)
    assert found is not None
    return Pool(
        found.mean,
        found.stderr,
        found.effective - 1,
        len(items) - len(repeated),
        _count_samples(scores),
        _measure_spread(scores),
        _find_interval(found, items, metric, sequential),
        notes=(*unlike, *_describe_items(found, len(items), len(repeated))),
        lack=explain_lack(found),
    )


def _find_interval(
    found: ItemMean, runs: Sequence[Sequence[Item]], metric: str, sequential: bool
) -> Callable[[float], tuple[Interval | None, Basis]]:
    """What gives the interval of a mean over items; it holds wherever runs stopped that could."""
    if not sequential or found.lowest < 0 or found.highest > 1:
        return partial(item_interval, found)
    scores = [list_distinct_scores(items, metric) for items in runs]
    return lambda confidence: (span_intervals(scores, confidence), "anytime")


def _describe_unlike_runs(items: Sequence[Sequence[Item]], scores: Sequence[Score]) -> list[Note]:
    """A note on runs that did not ask the same: by their items if all left these, else by their counts."""
    if len(scores) < 2:
        return []
    if len(items) == len(scores):
        asked = [{(item.id, item.content) for item in run} for run in items]
        common, every = set.intersection(*asked), set.union(*asked)
        text = f"the seeds did not ask the same items: {len(common)} of {len(every)} are common to all"
        return [Note("items", text)] if common != every else []
    counts = {score.scored + score.unscored for score in scores if score.scored}
    return [Note("items", f"the seeds have {min(counts)} to {max(counts)} samples")] if len(counts) > 1 else []


def _describe_items(found: ItemMean, runs: int, repeated: int) -> Iterable[Note]:
    if repeated:
        whole = f"all {runs} seeds gave the same replies: counted as one run"
        part = f"{repeated} of {runs} seeds gave the replies of another seed"
        yield Note("seeds", whole if repeated == runs - 1 else part)
    if found.distinct < found.items:
        yield Note("duplicates", f"{found.items} items, {found.distinct} of them distinct: each copy weighs as one")
    if found.clustered and found.groups > 1:
        few = ": few, so the interval is itself uncertain" if found.groups < FEW_CLUSTERS else ""
        yield Note("clusters", f"{found.groups} clusters{few}")
    if found.weighted:
        units = "clusters" if found.clustered else "items"
        told = f"weighted: {found.groups} {units} tell as much as {found.effective:.3g} of equal weight"
        yield Note("weights", told)


def _count_samples(scores: Sequence[Score]) -> int:
    return min(score.scored for score in scores)


def _measure_spread(scores: Sequence[Score]) -> float | None:
    """The standard deviation of the runs' values."""
    error = mean_se(score.value or 0.0 for score in scores).stderr
    return None if error is None else error * math.sqrt(len(scores))


def _pool_summaries(scores: Sequence[Score], harness: str, is_share: bool) -> Pool:
    """The pool where a harness left only summaries."""
    means = mean_se(score.value or 0.0 for score in scores)
    mean, n = means.mean or 0.0, min(map(_count_units, scores))
    basis = _find_basis(scores, is_share)
    variances = [(score.stderr or 0.0) ** 2 for score in scores]
    stderr = (means.stderr or 0.0) if basis == "runs" else math.sqrt(math.fsum(variances) / len(scores))
    lack = "" if stderr > 0 or basis == "proportion" else _explain_lack(scores, harness)
    df = len(scores) - 1 if basis == "runs" else n - 1 if n else math.inf

    def interval(confidence: float) -> tuple[Interval | None, Basis]:
        if lack:
            return None, "none"
        if basis == "proportion":
            return wilson(mean * n, n, confidence), basis
        if basis == "bounded" and n:
            return bounded_interval(mean, stderr, n, confidence), basis
        if basis == "bounded" and 0 < mean < 1:
            return share_interval(mean, stderr, confidence), basis
        low, high = t_interval(mean, stderr, df, confidence)
        if basis == "bounded" or (basis == "runs" and all(0 <= (score.value or 0.0) <= 1 for score in scores)):
            low, high = max(0.0, low), min(1.0, high)
        return (low, high), basis

    return Pool(
        mean,
        None if lack else stderr,
        df,
        len(scores),
        _count_samples(scores),
        _measure_spread(scores),
        interval,
        harness,
        (Note("reported", f"as reported by {harness}"),) if harness and not lack else (),
        lack,
    )


def _find_basis(scores: Sequence[Score], is_share: bool) -> Basis:
    """What the interval of summaries is of: of the runs alone where one has no standard error."""
    if not all(map(_has_error, scores)):
        return "runs"
    found = [(score.value or 0.0, score.stderr or 0.0, _count_units(score)) for score in scores]
    if all(is_binary(*one) for one in found):
        return "proportion"
    return "bounded" if is_share or all(fits_share(*one) for one in found) else "mean"


def _explain_lack(scores: Sequence[Score], harness: str) -> str:
    """Why summaries give no interval."""
    if all(map(_has_error, scores)):
        return "a standard error of 0 proves no certainty"
    if any(score.clusters == 1 for score in scores):
        return "one cluster tells nothing of others"
    if any(score.scored == 1 for score in scores):
        return "one sample tells nothing of others"
    lack = f"{harness or 'the harness'} reports no standard error"
    return f"{lack}, and the seeds do not differ" if len(scores) > 1 else lack


def _count_units(score: Score) -> int:
    return score.clusters or score.scored


def _is_plain_share(score: Score) -> bool:
    """Whether a summary is of zeros and ones without clusters, so that its items need not be read."""
    return score.clusters is None and is_binary(score.value or 0.0, score.stderr or 0.0, score.scored)


def _has_error(score: Score) -> bool:
    """One sample or cluster has no standard error, whatever a harness writes."""
    return score.stderr is not None and 1 not in (score.scored, score.clusters)
