"""Gates over the benchmarks of an eval: their average, that of all their items, or the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from evalmake.project.column_groups import GroupForm
from evalmake.scoring.gates import SIDES, GateResult, Requirement, Verdict, describe_bound, describe_verdict
from evalmake.scoring.group_average import Column, average_group
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.metric_scale import fill_unscored, find_bounds
from evalmake.scoring.numbers import format_number, format_percent

_MOST_NAMED = 4
_TEXTS: dict[GroupForm, str] = {
    "average": "the average of {}",
    "pooled": "the average over all items of {}",
    "best": "the best of {}",
}


def judge_benchmark_gate(address: str, form: GroupForm, asked: Requirement, columns: Sequence[Column]) -> GateResult:
    """Judge a requirement over benchmarks taken together, each by its headline metric.

    It is not judged where one of them has no value, where they are on different scales, where metric and bound are,
    where an interval is asked for and cannot be estimated, and where samples without a score could turn the verdict.
    """
    values = tuple((column.name, column.average(0.95).mean) for column in columns)
    result = GateResult(
        address,
        form,
        asked.op,
        asked.bound,
        None,
        None,
        asked.confidence,
        None,
        None,
        (),
        (),
        _describe_lack(columns),
        asked.within,
        values,
    )
    if result.message:
        return result
    kind = MetricKind(next((column.kind.scale for column in columns if column.kind.scale), None))
    named = replace(asked, metric=_TEXTS[form].format(_list_names(columns)), kind=kind)
    rescaled = named.rescale()
    decide = partial(_decide, form, rescaled)
    verdict = decide(columns)
    if isinstance(verdict, str):
        return replace(result, message=f"{named.metric} is not known: {verdict}")
    result = replace(result, value=verdict.value, low=verdict.low, high=verdict.high)
    doubt = _describe_scale(named, verdict) or _describe_unscored(decide, columns, verdict)
    message = doubt or describe_verdict(rescaled, verdict)
    return replace(result, met=None if doubt else verdict.met, message=message)


def _describe_lack(columns: Sequence[Column]) -> str:
    """Why the gate cannot be judged by the scores there are; empty if it can."""
    for column in columns:
        scores = [run.score(column.metric) for run in column.runs]
        if not scores:
            return f"{column.name} has no result"
        if any(score is None for score in scores):
            return f"{column.name} did not report {column.metric}, its headline metric"
        if any(score is None or score.value is None for score in scores):
            return f"{column.metric} of {column.name} has no value"
    return ""


def _list_names(columns: Sequence[Column]) -> str:
    names = [column.name for column in columns]
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} benchmarks"


def _decide(form: GroupForm, asked: Requirement, columns: Sequence[Column]) -> Verdict | str:
    """The verdict over columns, or why there is none."""
    side = SIDES.get(asked.op)
    confidence = asked.confidence or 0.95
    level = max(0.0, 2 * confidence - 1) if side else confidence
    found = average_group(form, columns, [1.0] * len(columns), level)
    if found.mean is None:
        return found.lack
    if asked.confidence is None:
        return Verdict(asked.holds(found.mean), found.mean)
    if found.low is None or found.high is None:
        return f"{format_percent(confidence)} confidence is asked for, and {found.lack}"
    low, high = None if side == "upper" else found.low, None if side == "lower" else found.high
    met = all(asked.holds(edge) for edge in (low, high) if edge is not None)
    return Verdict(met, found.mean, low, high)


def _describe_scale(asked: Requirement, verdict: Verdict) -> str:
    """The message if the bound is not on the scale of the benchmarks; empty if it is."""
    kind = asked.kind if asked.kind.scale or not 0 <= verdict.value <= 1 else MetricKind("share")
    if wrong := describe_bound(replace(asked, kind=kind)):
        return f"{asked.metric} is {format_number(verdict.value)}, and {wrong}"
    if asked.is_share and kind.scale is None:
        return f"{asked.metric} is {format_number(verdict.value)}, which is no share: write the bound without `%`"
    return ""


def _describe_unscored(
    decide: Callable[[Sequence[Column]], Verdict | str], columns: Sequence[Column], verdict: Verdict
) -> str:
    """The message if samples without a score could turn the verdict, whatever their scores are; else empty."""
    unscored = {
        column.name: sum(score.unscored for run in column.runs if (score := run.score(column.metric)))
        for column in columns
    }
    if not any(unscored.values()):
        return ""
    count = sum(unscored.values())
    could = f"undecided: {count} unscored sample{'s' * (count != 1)} could change it"
    bounds = {column.name: find_bounds(column.metric, column.runs) for column in columns if unscored[column.name]}
    unbounded = [name for name, bound in bounds.items() if bound is None]
    if unbounded:
        return f"{could}: nothing bounds the scores of {', '.join(unbounded)}"
    cases = [decide([_fill(column, bounds.get(column.name), end) for column in columns]) for end in (0, 1)]
    known = [case for case in cases if isinstance(case, Verdict)]
    if len(known) == 2 and all(case.met == verdict.met for case in known):
        return ""
    worst, best = (format_number(case.value) if isinstance(case, Verdict) else "?" for case in cases)
    return f"{could}: {format_number(verdict.value)} of the scored, from {worst} to {best} of all"


def _fill(column: Column, bounds: tuple[float, float] | None, end: int) -> Column:
    """The column as it were if each of its unscored samples had its worst score, or its best."""
    if bounds is None:
        return column
    return replace(column, runs=tuple(fill_unscored(run, column.metric, bounds[end]) for run in column.runs))
