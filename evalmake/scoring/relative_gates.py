"""Gates that compare: whether a cell is better than another result, or no worse than it by a margin.

The difference is that of `evalmake compare` (`benchmark_change`): of paired items where both sides have them, else of
the two scores. With the margin m, and the gain being the difference in the direction that is better,

    better than X          gain > 0         better than X by m     gain >= m
    no worse than X by m   gain > -m

of the gain itself or, with a confidence, of its lower bound at that confidence: the end of the two-sided interval at
2 confidence - 1. So `no worse than` is a test of non-inferiority. Where no paired item differs, the share of items that
were lost is below 1 - alpha^(1/n) with alpha = 1 - confidence (the rule of three, which has one side).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evalmake.scoring.benchmark_change import BenchmarkChange, ChangedRuns, compare_changes
from evalmake.scoring.gates import TOLERANCE, GateResult, describe_lack, find_score, make_open_result
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.metric_scale import fill_unscored, find_bounds
from evalmake.scoring.numbers import format_given, format_number, format_percent
from evalmake.scoring.seed_average import Run
from evalmake.scoring.verdict import Margin

BETTER, NO_WORSE = "better than", "no worse than"
_PLAIN = 0.95  # of the interval that is not asked for


@dataclass(frozen=True, slots=True)
class Relation:
    """What a gate asks that compares; `margin` is by how much one must be better, or may be worse."""

    metric: str
    op: str
    margin: Margin
    than: str  # "model base", "baseline main"
    confidence: float | None = None
    kind: MetricKind = UNKNOWN_KIND


@dataclass(frozen=True, slots=True)
class OtherSide:
    """The other side. With a `lack`, why it cannot be compared with."""

    runs: Sequence[Run] = ()
    is_same_result: bool = False  # whether both sides are the very same attempts, or scored the same
    lack: str = ""


@dataclass(frozen=True, slots=True)
class _Gain:
    """The difference in the direction that is better, with its lower bound if one is asked for."""

    change: BenchmarkChange
    value: float
    low: float | None
    reference: float
    score: float


def judge_relation(address: str, asked: Relation, runs: Mapping[int, Run], other: OtherSide) -> GateResult:
    """Judge a requirement that compares the runs of a cell, by seed, with those of another.

    It is not judged where one side lacks the metric or asked other items, where an interval is asked for and cannot
    be estimated, where the margin is on another scale, and where samples without a score could turn the verdict.
    """
    scores = {seed: find_score(asked.metric, run.scores) for seed, run in sorted(runs.items())}
    lack = describe_lack(asked.metric, scores, runs) or other.lack or _describe_lack(asked, other.runs)
    result = make_open_result(address, asked.metric, asked.op, asked.margin.value, asked.confidence, scores, lack)
    result = replace(result, than=asked.than)
    if result.message:
        return result
    named = replace(asked, metric=next(score.metric for score in scores.values() if score))
    ours = [run for _, run in sorted(runs.items())]
    found = _compare(named, ours, other)
    if isinstance(found, str):
        return replace(result, message=found)
    margin = asked.margin.on_scale(asked.kind, (found.score, found.reference))
    if wrong := _describe_scale(asked, margin, found):
        return replace(result, message=wrong)
    allowed = margin or 0.0
    met = _holds(asked, allowed, found)
    doubt = _describe_unscored(named, allowed, ours, other, met)
    is_lower = asked.kind.better == "lower"
    return replace(
        result,
        bound=allowed,
        met=None if doubt else met,
        value=found.score,
        reference=found.reference,
        difference=-found.value if is_lower else found.value,
        low=None if is_lower else found.low,
        high=None if found.low is None or not is_lower else -found.low,
        paired=found.change.comparison.paired,
        message=doubt or _describe(asked, allowed, found),
    )


def _describe_lack(asked: Relation, runs: Sequence[Run]) -> str:
    """Why there is nothing to compare with; empty if there is."""
    found = [find_score(asked.metric, run.scores) for run in runs]
    if not found:
        return f"{asked.than} has no result"
    if None in found:
        known = sorted({score.metric for run in runs for score in run.scores})
        return f"{asked.than} has no {asked.metric}; its metrics are {', '.join(known) or 'not known'}"
    return f"{asked.metric} has no value in {asked.than}" if any(s and s.value is None for s in found) else ""


def _compare(asked: Relation, ours: Sequence[Run], other: OtherSide) -> _Gain | str:
    """The gain; or why it is not known."""
    level = _PLAIN if asked.confidence is None else max(2 * asked.confidence - 1, 0.0)
    change = _measure(asked, ours, other, level)
    difference = change.comparison.difference
    if asked.confidence is not None and difference and difference.test == "rule of three":
        change = _measure(asked, ours, other, asked.confidence)
    score, reference = change.after.mean, change.before.mean
    if score is None or reference is None:
        return f"{asked.metric} cannot be compared: {change.comparison.note}"
    sign = -1 if asked.kind.better == "lower" else 1
    if other.is_same_result:
        return _Gain(change, 0.0, None if asked.confidence is None else 0.0, reference, score)
    difference = change.comparison.difference
    value = sign * (difference.mean if difference else score - reference)
    if asked.confidence is None:
        return _Gain(change, value, None, reference, score)
    low, high = (difference.interval if difference else None) or (None, None)
    low = low if sign > 0 or high is None else -high
    if low is None:
        asked_for = f"{format_percent(asked.confidence)} confidence is asked for"
        why = change.comparison.note or "nothing tells how far the scores may be off"
        return f"the difference has no interval ({why}), and {asked_for}"
    return _Gain(change, value, low, reference, score)


def _measure(asked: Relation, ours: Sequence[Run], other: OtherSide, level: float) -> BenchmarkChange:
    """Both scores and their difference, with the interval at a confidence."""
    theirs = [_rename(run, asked.metric) for run in other.runs]
    runs = ChangedRuns("", asked.metric, theirs, ours, asked.kind, other.is_same_result)
    return compare_changes([runs], level, names=(asked.than, "this")).changes[0]


def _rename(run: Run, metric: str) -> Run:
    """The run with its score under the name that the other side has: `exact_match,strict` is `exact_match.strict`."""
    found = find_score(metric, run.scores)
    if found is None or found.metric == metric:
        return run
    return replace(run, scores=(*run.scores, replace(found, metric=metric)))


def _holds(asked: Relation, margin: float, found: _Gain) -> bool:
    """Whether a gain, or its lower bound, is as it must be."""
    return all(_is_enough(asked.op, margin, one) for one in (found.value, found.low) if one is not None)


def _is_enough(op: str, margin: float, gain: float) -> bool:
    edge = margin if op == BETTER else -margin
    close = math.isclose(gain, edge, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return (close and op == BETTER and margin > 0) or (not close and gain > edge)


def _describe_scale(asked: Relation, margin: float | None, found: _Gain) -> str:
    """The message if margin and metric are on different scales; empty if they fit."""
    values = f"{asked.metric} is {format_number(found.score)} and {format_number(found.reference)}"
    if margin is None:
        return f"{values}, which is no share: write the margin without `%`, on the metric's own scale"
    whole = asked.kind.most or (1.0 if all(0 <= one <= 1 for one in (found.score, found.reference)) else None)
    if whole is not None and margin >= whole and asked.kind.scale != "points":
        text = format_given(margin)
        return f"{values}, and the margin {text} is the whole scale: if it is a percentage, write `by {text}%`"
    return ""


def _describe_unscored(asked: Relation, margin: float, ours: Sequence[Run], other: OtherSide, met: bool) -> str:
    """The message if samples without a score, of either side, could turn the verdict; else empty."""
    sides = (ours, other.runs)
    counts = [sum(score.unscored for run in side if (score := find_score(asked.metric, run.scores))) for side in sides]
    unscored = sum(counts)
    if not unscored or other.is_same_result:
        return ""
    could = f"undecided: {unscored} unscored sample{'s' * (unscored != 1)} could change it"
    if counts[1]:
        could += f", {counts[1]} of {asked.than}"
    bounds = find_bounds(asked.metric, [*ours, *other.runs])
    if bounds is None:
        return f"{could}: nothing bounds their scores"
    least, most = bounds
    for one, another in ((least, most), (most, least)):
        filled = [fill_unscored(run, asked.metric, one) for run in ours]
        others = [fill_unscored(_rename(run, asked.metric), asked.metric, another) for run in other.runs]
        found = _compare(asked, filled, replace(other, runs=others))
        if isinstance(found, str) or _holds(asked, margin, found) != met:
            return could
    return ""


def _describe(asked: Relation, margin: float, found: _Gain) -> str:
    """The scores, the gain or loss, how sure it is, and what is wanted, in one line."""
    numbers = [one for one in (found.value, found.low) if one is not None]
    digits = next(
        (d for d in range(3, 15) if all(_tells_the_same(asked.op, margin, one, round(one, d)) for one in numbers)), 15
    )
    scores = [format_number(one, digits) for one in (found.score, found.reference)]
    texts = [f"{asked.metric} is {scores[0]} against {scores[1]} of {asked.than}"]
    texts[0] += f": {_name_gain(found.value, digits)} ({_describe_pairing(found)})"
    if found.low is not None and asked.confidence is not None and found.change.comparison.difference is not None:
        sure = f"at {format_percent(asked.confidence)} confidence (one-sided)"
        low = format_number(abs(found.low), digits)
        texts.append(f"{sure} {_name_bound(found, low)}")
    bound = format_given(margin)
    if asked.op == NO_WORSE:
        texts.append(f"a loss must be below {bound}")
    else:
        texts.append(f"the gain must be {'at least' if margin else 'above'} {bound}")
    return "; ".join(texts)


def _tells_the_same(op: str, margin: float, gain: float, shown: float) -> bool:
    return _is_enough(op, margin, gain) == _is_enough(op, margin, shown) and (gain > 0) == (shown > 0)


def _name_gain(gain: float, digits: int) -> str:
    if math.isclose(gain, 0, abs_tol=TOLERANCE):
        return "no difference"
    return f"a {'gain' if gain > 0 else 'loss'} of {format_number(abs(gain), digits)}"


def _name_bound(found: _Gain, low: str) -> str:
    if found.low is not None and found.low > 0:
        return f"the gain is above {low}"
    return f"{'the' if found.value < 0 else 'a'} loss is below {low}"


def _describe_pairing(found: _Gain) -> str:
    """ "400 paired items", "400 paired items, 3 not paired" or "unpaired: the baseline's items are not at hand"."""
    comparison = found.change.comparison
    if comparison.difference is None:
        return comparison.note or "unpaired"
    if not comparison.paired:
        return f"unpaired: {comparison.note}"
    count = comparison.difference.n
    dropped = f", {comparison.dropped} not paired" if comparison.dropped else ""
    return f"{count} paired item{'s' * (count != 1)}{dropped}"
