"""A row of a report against another: the same items, asked of both.

Each item's scores are averaged over its runs and repetitions first; the unit is the item, or the
cluster of items.  An item is paired where both its id and the hash of its content agree, and the
rest is counted: scores of different questions say nothing of the models.  Where no item is common, or one
side left no items, the means are compared as of unrelated items, and that is said.

The verdict is that of p adjusted by Holm's method over all comparisons of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalmake.scoring.comparisons import (
    Difference,
    Side,
    detectable_difference,
    holm,
    paired_means,
    paired_proportions,
    unpaired_difference,
)
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.paired_items import Outcomes, PairedItems, count_outcomes, pair_runs
from evalmake.scoring.seed_average import Pool, Run, find_most, multiply, pool_runs


@dataclass(frozen=True, slots=True)
class RowComparison:
    """row - baseline in one column.  Without a difference, `note` says why there is none."""

    row: str
    column: str
    baseline: str
    metric: str
    difference: Difference | None = None
    p_holm: float | None = None  # two-sided, by Holm's method
    compared: int = 1  # differences with a p in the report: those that `p_holm` is adjusted for
    significant: bool | None = None  # whether `p_holm` is below alpha
    paired: bool = True
    dropped: int = 0  # items of either that the other has not, or has otherwise, or not scored
    detectable: float | None = None  # the true difference that would be found with a power of 80 %
    alpha: float | None = None  # of that power: what Holm's method compares this p with
    differences: tuple[str, ...] = ()  # what else differs between the two: "limit 10 against 30"
    lost_to_adjustment: bool = False  # whether p is below alpha and `p_holm` is not
    note: str = ""
    outcomes: Outcomes | None = None  # of the paired items

    @property
    def p(self) -> float | None:
        """The two-sided p of this comparison alone."""
        return self.difference.p if self.difference else None


def compare_rows(
    row: str,
    column: str,
    baseline: str,
    metric: str,
    ours: Sequence[Run],
    theirs: Sequence[Run],
    confidence: float,
    kind: MetricKind = UNKNOWN_KIND,
) -> RowComparison:
    """`row` against `baseline`, the runs of each given; `kind` says on which scale the metric is."""
    plain, most = RowComparison(row, column, baseline, metric), find_most(metric, (*ours, *theirs), kind)
    if most is None:
        return _compare_runs(plain, ours, theirs, confidence)
    a, b = ([run.divide(metric, most) for run in side] for side in (ours, theirs))
    found = _compare_runs(plain, a, b, confidence, is_share=True)
    return replace(found, difference=found.difference and _multiply(found.difference, most))


def _multiply(found: Difference, most: float) -> Difference:
    low, high = (multiply(end, most) for end in found.interval or (None, None))
    return replace(
        found,
        mean=multiply(found.mean, most) or 0.0,
        stderr=multiply(found.stderr, most),
        interval=None if low is None or high is None else (low, high),
    )


def _compare_runs(
    plain: RowComparison, ours: Sequence[Run], theirs: Sequence[Run], confidence: float, is_share: bool = False
) -> RowComparison:
    metric = plain.metric
    paired = pair_runs(ours, theirs, metric)
    if paired is None:
        sides = ((plain.row, ours), (plain.baseline, theirs))
        names = dict.fromkeys(name for name, runs in sides if any(run.items(metric) is None for run in runs))
        lost = next((run.lack_of_items for run in (*ours, *theirs) if run.lack_of_items), "")
        why = lost or f"{' and '.join(names)} left no items of which {metric} is the mean"
        return _compare_unpaired(plain, ours, theirs, confidence, why, is_share)
    plain = replace(plain, dropped=paired.dropped)
    if not paired.common:
        why = "the two have no scored item in common"
        return _compare_unpaired(plain, ours, theirs, confidence, why, is_share)
    means = paired.means()
    outcomes = count_outcomes([a - b for a, b in means])
    return replace(plain, difference=_compare_items(paired, means, confidence), outcomes=outcomes)


def _compare_items(paired: PairedItems, means: Sequence[tuple[float, float]], confidence: float) -> Difference:
    """Tango's interval and test of 0/1 scores asked once, else t on the differences of the items."""
    common, ours, theirs = paired.common, paired.ours, paired.theirs
    groups, weights = ([getattr(ours[key], name) for key in common] for name in ("group", "weight"))
    is_binary = all(value in (0, 1) for pair in means for value in pair)
    if len(set(weights)) == 1 and len(set(groups)) == len(common) and is_binary:
        a_only, b_only = sum(x > y for x, y in means), sum(x < y for x, y in means)
        return paired_proportions(a_only, b_only, len(common), confidence)
    bounded = all(0 <= value <= 1 for side in (ours, theirs) for key in common for value in side[key].values)
    return paired_means([x - y for x, y in means], groups, bounded, confidence, weights)


def _compare_unpaired(
    plain: RowComparison, ours: Sequence[Run], theirs: Sequence[Run], confidence: float, why: str, is_share: bool
) -> RowComparison:
    a, b = pool_runs(plain.metric, ours, is_share), pool_runs(plain.metric, theirs, is_share)
    found = unpaired_difference(_side(a, confidence), _side(b, confidence), confidence) if a and b else None
    return replace(plain, difference=found, paired=False, note=why)


def _side(pool: Pool, confidence: float) -> Side:
    is_share = pool.interval(confidence)[1] in ("proportion", "bounded")
    return Side(pool.mean, pool.stderr, pool.df, pool.samples, is_share, lambda level: pool.interval(level)[0])


def judge_comparisons(comparisons: Sequence[RowComparison], confidence: float) -> tuple[RowComparison, ...]:
    """The same with their verdicts, each p adjusted for all the others.

    Holm's method compares the smallest p with alpha / m, the next with alpha / (m - 1), and ends at the first
    that is not below: what it compared that one with is the alpha of all that are left.
    """
    alpha = 1 - confidence
    known = [one.p for one in comparisons if one.p is not None]
    adjusted = iter(holm(known))
    judged = []
    for one in comparisons:
        if one.p is not None:
            p_holm = next(adjusted)
            lost = one.p < alpha <= p_holm
            one = replace(one, p_holm=p_holm, compared=len(known), significant=p_holm < alpha, lost_to_adjustment=lost)
        judged.append(one)
    left = sum(one.significant is False for one in judged)
    return tuple(_with_power(one, alpha / left) if one.significant is False else one for one in judged)


def _with_power(one: RowComparison, alpha: float) -> RowComparison:
    stderr = one.difference.stderr if one.difference else None
    return replace(one, detectable=detectable_difference(stderr, alpha), alpha=alpha) if stderr else one
