"""What an evaluation demands of a result: enough samples with a score, and not too many truncated replies.

Demands are judged from the counts on record whenever something looks at a result, like a gate. A result
that falls short is kept, and is no valid result of the evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evalmake.scoring.headline import find_metric
from evalmake.scoring.numbers import format_percent
from evalmake.scoring.score import Score
from evalmake.scoring.unscored_causes import NO_CAUSE, Cause

_MOST_LISTED = 30  # metrics
_ROUNDING = 1e-9  # 0.07 * 100 is a little more than 7


LOST_SHARE = "lost_share"
"""The count, in usage, of a harness that tells which share of its samples it could not grade."""


class ScoredResult(Protocol):
    """What a harness reported, or what the store holds of it."""

    @property
    def scores(self) -> Sequence[Score]:
        """All metrics."""

    @property
    def metric(self) -> str:
        """The headline metric."""

    @property
    def usage(self) -> Mapping[str, float]:
        """Counts of requests and samples, by kind."""


@dataclass(frozen=True, slots=True)
class Demands:
    """The demands of one evaluation; its headline is `metric`, or the result's own."""

    coverage: float = 1.0
    """The share of samples that must have a score, and of requests that must be answered."""
    truncated: float = 0.5
    """The share of replies that a token limit may cut off."""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One demand that a result does not meet."""

    reason: str
    """Why the evaluation must run again, for a plan."""
    message: str
    """The counts, for the end of a run."""
    cure: str
    """What to do; empty where that is not known."""


def find_shortfall(demands: Demands, result: ScoredResult, cause: Cause = NO_CAUSE) -> Shortfall | None:
    """The first demand that `result` does not meet; `cause` says why samples have no score."""
    metric = demands.metric or result.metric
    headline = find_metric(metric, (score.metric for score in result.scores))
    score = next((score for score in result.scores if score.metric == headline), None)
    if score is None:
        known = ", ".join(score.metric for score in result.scores[:_MOST_LISTED])
        if len(result.scores) > _MOST_LISTED:
            known += f" and {len(result.scores) - _MOST_LISTED} more"
        if not metric:
            lacks = f"none of its metrics stands for the others; it reported {known}"
            return Shortfall(f"metric: {lacks}", lacks, "set the benchmark's `metric` to one of these")
        lacks = f"the harness reported no `{metric}`; it reported {known}"
        return Shortfall(f"metric: {lacks}", lacks, "set the benchmark's `metric` to one of these")
    return (
        _judge_scores(demands.coverage, score, cause)
        or _judge_answers(demands.coverage, result.usage, cause)
        or _judge_lost(demands.coverage, result.usage, cause)
        or _judge_truncation(demands.truncated, result.usage)
    )


def scored_share(result: ScoredResult) -> float:
    """The share of samples that have the headline metric, or any if none is named.

    It is 0 without a value, and 1 where nothing is counted.
    """
    scores = [score for score in result.scores if result.metric in ("", score.metric)]
    return max(map(_scored_share, scores), default=0.0)


def _scored_share(score: Score) -> float:
    if score.value is None:
        return 0.0
    total = score.scored + score.unscored
    return score.scored / total if total else 1.0


def _judge_scores(coverage: float, score: Score, cause: Cause) -> Shortfall | None:
    total = score.scored + score.unscored
    fact = f"{score.scored} of {total} samples were scored"
    if score.value is None and (score.scored or not total):
        lacks = f"`{score.metric}` has no value"
        return Shortfall(f"metric: {lacks}", lacks, "set the benchmark's `metric` to one that has; its log may say why")
    if score.value is None and coverage == 0:  # no share is small enough for a score of nothing
        message = f"{fact}, and at least one must be"
        return Shortfall(
            "coverage: 0% scored, at least one sample demanded",
            _add_cause(message, cause),
            cause.cure,
        )
    return _judge_share(coverage, score.scored, total, "scored", fact, cause)


def _judge_answers(coverage: float, usage: Mapping[str, float], cause: Cause) -> Shortfall | None:
    """Judge the requests of a harness that may score an unanswered request as wrong, if it counts them."""
    total, missing = int(usage.get("questions", 0)), int(usage.get("unanswered", 0))
    fact = f"{missing} of {total} requests were not answered"
    return _judge_share(coverage, total - missing, total, "answered", fact, cause)


def _judge_lost(coverage: float, usage: Mapping[str, float], cause: Cause) -> Shortfall | None:
    """Judge the samples that a harness itself says it could not grade, and may have scored as wrong."""
    lost = usage.get(LOST_SHARE, 0.0)
    if lost <= 1 - coverage + _ROUNDING:
        return None
    fact = f"{math.ceil(lost * 1000) / 10:g}% of samples could not be graded"
    return _describe_share(coverage, 1 - lost, "graded", fact, cause)


def _judge_share(coverage: float, done: int, total: int, verb: str, fact: str, cause: Cause) -> Shortfall | None:
    if done >= coverage * total - _ROUNDING:
        return None
    return _describe_share(coverage, done / total, verb, fact, cause)


def _describe_share(coverage: float, share: float, verb: str, fact: str, cause: Cause) -> Shortfall:
    percent = math.floor(share * 1000) / 10  # 99.96% must not read as 100%
    demanded = format_percent(coverage)
    message = f"{fact}, and {demanded} must be"
    return Shortfall(
        f"coverage: {percent:g}% {verb}, {demanded} demanded",
        _add_cause(message, cause),
        f"{f'{cause.cure}; or ' if cause.cure else ''}lower the benchmark's `coverage`",
    )


def _add_cause(message: str, cause: Cause) -> str:
    return f"{message}; {cause.text}" if cause.text else message


def _judge_truncation(most: float, usage: Mapping[str, float]) -> Shortfall | None:
    unfinished, total = int(usage.get("replies_unfinished", 0)), int(usage.get("replies", 0))
    cut = int(usage.get("replies_truncated", 0)) + unfinished
    if cut <= most * total + _ROUNDING:
        return None
    share = math.ceil(cut / total * 1000) / 10
    how = "by the token limit or end inside their reasoning" if unfinished else "by the token limit"
    return Shortfall(
        f"truncated: {share:g}% of replies were cut off, {format_percent(most)} may be",
        f"{cut} of {total} replies were cut off {how}, and at most {format_percent(most)} may be",
        "raise `max_tokens` in `params`; or raise the benchmark's `truncated`",
    )
