"""What a comparison of before and after comes to: better, worse, no worse than a margin allows, or not decided.

The difference is after - before, and `toward` says which sign is better. With the interval [low, high] of the gain and
the margin m, by which the second side may be worse:

    IMPROVEMENT   adjusted p < alpha, and the gain is above 0
    REGRESSION    adjusted p < alpha, the gain is below 0, and low is not above -m
    PASS          m > 0 and low > -m (non-inferiority); or both sides have the same scores
    INCONCLUSIVE  else

p is adjusted over all benchmarks of a comparison by Holm's method. That all of them are no worse needs no adjustment,
since each must be shown (Berger 1982). The interval is two-sided, so low is a one-sided bound at (1 + confidence) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from evalmake.scoring.headline import MetricKind
from evalmake.scoring.numbers import format_given, format_number, format_percent
from evalmake.scoring.paired_items import Outcomes
from evalmake.scoring.row_comparison import RowComparison
from evalmake.scoring.sample_size import SampleSize, find_size, find_size_without_losses


class Verdict(StrEnum):
    """How a comparison ends."""

    PASS = "PASS"
    REGRESSION = "REGRESSION"
    IMPROVEMENT = "IMPROVEMENT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Margin:
    """By how much the second side may be worse: a number on the metric's scale, or a percentage of it."""

    value: float = 0.0
    is_percentage: bool = False

    def __str__(self) -> str:
        return format_percent(self.value) if self.is_percentage else format_given(self.value)

    def on_scale(self, kind: MetricKind, values: Iterable[float]) -> float | None:
        """The margin on the scale of a metric; None for a percentage where that is not known."""
        if not self.is_percentage or not self.value:
            return self.value
        if kind.most:
            return self.value * kind.most
        return self.value if all(0 <= value <= 1 for value in values) else None


NO_MARGIN = Margin()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why it is that one, and how many items would decide where it is not decided."""

    verdict: Verdict
    reason: str
    size: SampleSize | None = None


def judge_change(
    found: RowComparison, kind: MetricKind, confidence: float, margin: Margin, values: Iterable[float]
) -> Judgement:
    """Judge one benchmark's comparison, in which p is adjusted already; `values` are the scores of both sides."""
    difference = found.difference
    allowed = margin.on_scale(kind, values)
    if difference is None:
        return Judgement(Verdict.INCONCLUSIVE, found.note or "nothing tells how far the two scores may be off")
    if allowed is None:
        text = f"the margin is {margin}, and {found.metric} is not from 0 to 1: give a number on its scale"
        return Judgement(Verdict.INCONCLUSIVE, text)
    gain = -difference.mean if kind.better == "lower" else difference.mean
    low, _ = _orient(difference.interval, kind)
    is_kept = allowed > 0 and low is not None and low > -allowed
    if found.significant and gain > 0:
        return Judgement(Verdict.IMPROVEMENT, f"better: {_describe_p(found, confidence)}")
    if found.significant and not is_kept:
        beyond = f", and the loss may exceed the margin of {format_given(allowed)}" if allowed else ""
        return Judgement(Verdict.REGRESSION, f"worse: {_describe_p(found, confidence)}{beyond}")
    if is_kept:
        shown = "a difference is shown, and " if found.significant else ""
        text = f"{shown}a loss of {format_given(allowed)} or more is excluded{_describe_loss(low)}"
        return Judgement(Verdict.PASS, text)
    if not allowed and _is_same(found.outcomes) and not found.dropped:
        return Judgement(Verdict.PASS, f"each of the {difference.n} items scores the same on both sides")
    size = _find_size(found, gain, allowed, confidence)
    return Judgement(Verdict.INCONCLUSIVE, _describe_doubt(found, low, allowed, confidence), size)


def judge_all(judgements: Iterable[Judgement]) -> Verdict:
    """The verdict of several benchmarks: the worst of them, in which nothing is hidden by an improvement elsewhere."""
    found = {one.verdict for one in judgements}
    order = (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.IMPROVEMENT)
    return next((verdict for verdict in order if verdict in found), Verdict.PASS)


def _orient(interval: tuple[float, float] | None, kind: MetricKind) -> tuple[float | None, float | None]:
    """The interval of the gain."""
    low, high = interval or (None, None)
    if kind.better != "lower" or low is None or high is None:
        return low, high
    return -high, -low


def _is_same(outcomes: Outcomes | None) -> bool:
    return outcomes is not None and not outcomes.higher + outcomes.lower


def _describe_p(found: RowComparison, confidence: float) -> str:
    name = "adjusted p" if found.compared > 1 else "p"
    word = "below" if found.significant else "not below"
    return f"{name} {format_p(found.p_holm)} is {word} {1 - confidence:.4g}"


def format_p(p: float | None) -> str:
    """A p as people read it: "0.0312", "3e-07"."""
    if p is None:
        return "-"
    return f"{p:.1g}" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.3f}"


def _describe_loss(low: float | None) -> str:
    if low is None or low >= 0:
        return ""
    return f": the interval ends at a loss of {format_number(-low)}"


def _describe_doubt(found: RowComparison, low: float | None, allowed: float, confidence: float) -> str:
    """Why nothing is decided."""
    doubts = []
    if found.p_holm is None:
        doubts.append("nothing tells how far the difference may be off")
    elif found.lost_to_adjustment:
        alone = f"p alone is {format_p(found.p)}, and adjusted for {found.compared} comparisons it is"
        doubts.append(f"no difference is shown: {alone} {format_p(found.p_holm)}")
    else:
        doubts.append(f"no difference is shown: {_describe_p(found, confidence)}")
    if low is not None and low < 0:
        beyond = f", which is beyond the margin of {format_given(allowed)}" if allowed else ""
        doubts.append(f"a loss of {format_number(-low)} is not excluded{beyond}")
    return "; ".join(doubts)


def _find_size(found: RowComparison, gain: float, allowed: float, confidence: float) -> SampleSize | None:
    """How many items would show that the loss is within the margin, or else that there is a difference."""
    difference = found.difference
    assert difference is not None
    alpha = 1 - confidence
    if difference.test == "rule of three":
        return find_size_without_losses(difference.n, allowed, alpha)
    if not difference.stderr:
        return None
    if allowed and gain + allowed > 0:
        return find_size(difference.n, difference.stderr, gain + allowed, difference.mean, alpha)
    level = found.alpha or alpha
    return find_size(difference.n, difference.stderr, math.fabs(gain), difference.mean, level)
