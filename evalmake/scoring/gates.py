"""Gates: the mean over the seeds of a cell compared with what a `require` asks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

from evalmake.project.measure_units import format_quantity
from evalmake.project.requirements import Tier
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.intervals import Interval
from evalmake.scoring.metric_scale import describe_scale_mismatch, fill_unscored, find_bounds, may_be_percentage
from evalmake.scoring.numbers import format_given, format_number, format_percent, format_short
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run, average_seeds

TOLERANCE = 1e-12  # below this two numbers are equal: the mean of 0.8, 0.8, 0.8 is >= 0.8
WORDS = {
    ">=": ("at least", "below"),
    ">": ("above", "not above"),
    "<=": ("at most", "above"),
    "<": ("below", "not below"),
    "==": ("equal to", "not"),
}
SIDES = {">=": "lower", ">": "lower", "<=": "upper", "<": "upper"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a `require` asks of a metric; with a confidence, of its one-sided bound at that confidence."""

    metric: str
    op: str
    bound: float
    confidence: float | None = None
    is_share: bool = False  # whether the bound was written as a percentage
    kind: MetricKind = UNKNOWN_KIND  # the metric's scale and direction, as the benchmark states them
    within: float = 0.0  # how far from the bound will do, on the bound's scale
    tolerance: str = ""  # the same as it is written: "8%"
    decided: float | None = None  # the confidence of the interval that must lie on one side of the bound

    def holds(self, value: float) -> bool:
        """Whether a value is on the right side of the bound, or not further from it than will do."""
        sides = {">=": (-1,), ">": (-1,), "<=": (1,), "<": (1,), "==": (-1, 1)}[self.op] if self.within else ()
        ops = {-1: ">=", 1: "<="} if self.op == "==" else {-1: self.op, 1: self.op}
        edges = [(ops[side], self.bound + side * self.within) for side in sides] or [(self.op, self.bound)]
        return all(satisfies(op, value, edge) for op, edge in edges)

    def rescale(self) -> Requirement:
        """The same on the metric's own scale: 90% of a metric that goes to 100 is 90."""
        percent = self.kind.percent
        factor = 100 * percent if self.is_share and percent else 1.0
        return replace(self, bound=self.bound * factor, within=self.within * factor)


@dataclass(frozen=True, slots=True)
class GateResult:
    """One `require` judged over the seeds of its cell; `met` is None where it cannot be judged."""

    address: str  # "grid/qwen2.5-7b/gsm8k"
    metric: str
    op: str
    bound: float
    met: bool | None
    value: float | None
    confidence: float | None  # as asked for
    low: float | None  # with a confidence: what the metric is at least, or at most, with that confidence
    high: float | None
    parts: tuple[tuple[int, float | None], ...]  # each seed's value
    samples: tuple[int, ...]  # each seed's scored samples
    message: str  # one line, without the address
    within: float = 0.0  # how far from the bound will do
    benchmarks: tuple[tuple[str, float | None], ...] = ()  # if it takes several together: the value of each
    than: str = ""  # what it compares with, if it does: "model base", "baseline main"
    reference: float | None = None  # the value there; `low` and `high` are then of the difference
    difference: float | None = None  # value - reference, of the paired items if there are any
    paired: bool | None = None  # whether items were paired
    tier: Tier = "critical"  # how much it matters
    unit: str = ""  # of value and bound, if it is of what replies took

    @property
    def matters(self) -> bool:
        """Whether it counts for the exit status: it does not if it is advisory."""
        return self.tier != "advisory"

    @property
    def requirement(self) -> str:
        """What it asks: "accuracy >= 0.7 within 0.05", "accuracy no worse than baseline main by 0.01 as advisory"."""
        tier = "" if self.tier == "critical" else f" as {self.tier}"
        if self.than:
            by = f" by {format_given(self.bound)}" if self.bound else ""
            return f"{self.metric} {self.op} {self.than}{by}{tier}"
        within = f" within {format_given(self.within)}" if self.within else ""
        bound = format_quantity(self.bound, self.unit) if self.unit else format_given(self.bound)
        return f"{self.metric} {self.op} {bound}{within}{tier}"

    @property
    def detail(self) -> str:
        """The parts in words: "mean of 3 seeds: 0.69, 0.68, 0.67; 500 samples each"."""
        if self.benchmarks:
            return ", ".join(f"{name} {'none' if v is None else format_short(v)}" for name, v in self.benchmarks)
        values = ", ".join("none" if value is None else format_short(value) for _, value in self.parts)
        seeds = f"mean of {len(self.parts)} seeds" if len(self.parts) > 1 else "one seed"
        counts = [str(count) for count in self.samples]
        noun = "sample" if set(counts) == {"1"} else "samples"
        samples = f"{counts[0] if len(set(counts)) == 1 else ', '.join(counts)} {noun}"
        if len(counts) > 1 and len(set(counts)) == 1:
            samples += " each"
        return f"{seeds}: {values}; {samples}" if any(self.samples) else f"{seeds}: {values}"

    def fields(self) -> dict[str, Any]:
        """Its fields by name, as programs read them; those that only some gates have are left out of others."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        some = {field.name: field.default for field in fields(self) if field.default is not MISSING}
        return {name: value for name, value in named.items() if name not in some or value != some[name]}

    def concerns(self, address: str) -> bool:
        """Whether it judges a cell, by its path without its seed."""
        pattern = re.escape(self.address)
        for written, meant in ((r"\*", "[^/]+"), (r"\{", "("), (r"\}", ")"), (",", "|")):
            pattern = pattern.replace(written, meant)
        return self.address == address or re.fullmatch(pattern, address) is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a requirement is met, and the numbers that say so; None is not decided."""

    met: bool | None
    value: float
    low: float | None = None
    high: float | None = None


def choose_status(results: Iterable[GateResult]) -> int:
    """The exit status that gates give a build: 2 if a critical one is not judged, 1 if one is not met, 3 if one is
    supporting and either, else 0.
    """
    failing = [result for result in results if not result.met]
    critical = [result.met for result in failing if result.tier == "critical"]
    if critical:
        return 2 if None in critical else 1
    return 3 if any(result.tier == "supporting" for result in failing) else 0


def make_open_result(
    address: str,
    metric: str,
    op: str,
    bound: float,
    confidence: float | None,
    scores: Mapping[int, Score | None],
    message: str,
) -> GateResult:
    """The result of a gate that is not judged, with what each seed says of the metric."""
    return GateResult(
        address=address,
        metric=metric,
        op=op,
        bound=bound,
        met=None,
        value=None,
        confidence=confidence,
        low=None,
        high=None,
        parts=tuple((seed, score.value if score else None) for seed, score in scores.items()),
        samples=tuple(score.scored if score else 0 for score in scores.values()),
        message=message,
    )


def judge_gate(address: str, asked: Requirement, runs: Mapping[int, Run]) -> GateResult:
    """Judge a requirement over the runs of a cell, by seed.

    It is not judged where a seed did not report the metric or could not score it, where an interval is asked
    for and cannot be estimated, where metric and bound are on different scales, and where samples that have
    no score could turn the verdict.
    """
    scores = {seed: find_score(asked.metric, run.scores) for seed, run in sorted(runs.items())}
    lack = describe_lack(asked.metric, scores, runs)
    result = make_open_result(address, asked.metric, asked.op, asked.bound, asked.confidence, scores, lack)
    result = replace(result, within=asked.within)
    if result.message:
        return result
    # From here on the metric has the harness's own name for it, and the bound is on its scale.
    named = replace(asked.rescale(), metric=next(score.metric for score in scores.values() if score))
    known = [run for _, run in sorted(runs.items())]
    verdict = _decide(named, known)
    if verdict is None:
        asked_for = f"{format_percent(asked.confidence or asked.decided or 0)} confidence is asked for"
        lack = average_seeds(named.metric, known, kind=named.kind).lack
        return replace(result, message=f"{asked.metric} has no interval ({lack}), and {asked_for}")
    result = replace(result, value=verdict.value, low=verdict.low, high=verdict.high)
    doubt = _describe_scale(named, known, verdict) or _describe_unscored(named, known, verdict)
    told = replace(named, metric=asked.metric)
    return replace(result, met=None if doubt else verdict.met, message=doubt or describe_verdict(told, verdict))


def find_score(metric: str, scores: Sequence[Score]) -> Score | None:
    """The score that a gate names; lm-eval's own spelling of a filter, `exact_match,strict`, will do."""
    by_name = {score.metric: score for score in reversed(scores)}
    return by_name.get(metric) or by_name.get(metric.replace(",", "."))


def describe_lack(metric: str, found: Mapping[int, Score | None], runs: Mapping[int, Run]) -> str:
    """Why the gate cannot be judged by the scores there are; empty if it can."""
    if not found:
        return f"no run has a result, so {metric} is not known"
    absent = [seed for seed, score in found.items() if score is None]
    unscored = [seed for seed, score in found.items() if score and score.value is None]
    if absent:
        names = sorted({score.metric for seed in absent for score in runs[seed].scores})
        where = "" if len(absent) == len(found) else f" by {_seeds(absent)}"
        known = f"the metrics are {', '.join(names)}" if names else "there are no scores at all"
        return f"{metric} was not reported{where}; {known}"
    return f"{metric} has no value for {_seeds(unscored)}" if unscored else ""


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _decide(asked: Requirement, runs: Sequence[Run]) -> Verdict | None:
    """The verdict over these runs; None if there is no interval and one is asked for."""
    values = [score.value for run in runs if (score := run.score(asked.metric)) and score.value is not None]
    value = math.fsum(values) / len(values)
    if asked.decided is not None:
        return _decide_by_interval(asked, runs, value)
    if asked.confidence is None:
        return Verdict(asked.holds(value), value)
    side = SIDES.get(asked.op)
    interval = _confident_interval(asked, runs, asked.confidence, value, one_sided=side is not None)
    if interval is None:
        return None
    low = interval[0] if side != "upper" else None
    high = interval[1] if side != "lower" else None
    met = all(asked.holds(edge) for edge in (low, high) if edge is not None)
    return Verdict(met, value, low, high)


def _decide_by_interval(asked: Requirement, runs: Sequence[Run], value: float) -> Verdict | None:
    """Met if the whole interval meets it, not met if nothing of it does, else not decided."""
    found = average_seeds(asked.metric, runs, asked.decided or 0.0, asked.kind)
    if found.low is None or found.high is None:
        return None
    ends = [asked.holds(found.low), asked.holds(found.high)]
    met = True if all(ends) else False if not any(ends) else None
    return Verdict(met, value, found.low, found.high)


def _confident_interval(
    asked: Requirement, runs: Sequence[Run], confidence: float, value: float, one_sided: bool
) -> Interval | None:
    """An interval whose ends are one-sided bounds is two-sided at 1 - 2 alpha; below 50 % it is the value alone."""
    level = 2 * confidence - 1 if one_sided else confidence
    if level <= 0:
        return value, value
    found = average_seeds(asked.metric, runs, level, asked.kind)
    return None if found.low is None or found.high is None else (found.low, found.high)


def _describe_scale(asked: Requirement, runs: Sequence[Run], verdict: Verdict) -> str:
    """The message if metric and bound may be on different scales; empty if they are not."""
    if asked.kind.scale is None:
        doubt = describe_scale_mismatch(asked.metric, asked.op, asked.bound, asked.is_share, runs)
        return doubt or _describe_percentage(asked, runs, verdict)
    if wrong := asked.kind.describe_value(verdict.value):
        return f"{asked.metric} is {wrong}"
    if wrong := describe_bound(asked):
        return f"{asked.metric} is {format_number(verdict.value)}, and {wrong}"
    return ""


def describe_bound(asked: Requirement) -> str:
    """What is wrong with a bound for the scale that the benchmark states; empty if it fits."""
    text = format_given(asked.bound)
    if asked.is_share:
        unfit = asked.kind.scale == "points"
        return "its `scale` is points, which have no percentages: write the bound without `%`" if unfit else ""
    if asked.kind.scale == "share" and asked.bound > 1:
        return f"it goes from 0 to 1: write `{text}%` or `{format_given(asked.bound / 100)}` for the bound {text}"
    if asked.kind.scale == "percent" and 0 < asked.bound < 1:
        return f"it goes from 0 to 100: write `{text}%` or `{format_percent(asked.bound)}` for the bound {text}"
    return ""


def _describe_percentage(asked: Requirement, runs: Sequence[Run], verdict: Verdict) -> str:
    """The message if the bound may be a percentage, and the verdict would then be another; else empty."""
    if asked.is_share or not may_be_percentage(asked.bound, asked.metric, runs):
        return ""
    other = _decide(replace(asked, bound=asked.bound / 100), runs)
    if other is None or other.met == verdict.met:
        return ""
    bound, gate = format_given(asked.bound), f"require {asked.metric} {asked.op}"
    return (
        f"{asked.metric} is {format_number(verdict.value)}, and the bound {bound} may be a percentage: if the metric"
        f" goes to 1, write `{gate} {bound}%`; if it can be greater, `{gate} {format_percent(asked.bound)}`"
    )


def _describe_unscored(asked: Requirement, runs: Sequence[Run], verdict: Verdict) -> str:
    """The message if samples without a score could turn the verdict, whatever their scores are; else empty."""
    unscored = sum(score.unscored for run in runs if (score := run.score(asked.metric)))
    if not unscored:
        return ""
    bounds = find_bounds(asked.metric, runs)
    could = f"undecided: {unscored} unscored sample{'s' * (unscored != 1)} could change it"
    of_scored = f"{asked.metric} is {format_number(verdict.value)} of the scored"
    if bounds is None:
        return f"{could}: {of_scored}, and nothing bounds it for the others"
    cases = [_decide(asked, [fill_unscored(run, asked.metric, bound) for run in runs]) for bound in bounds]
    if all(case is not None and case.met == verdict.met for case in cases):
        return ""
    bound = _format_bound(asked)
    worst, best = (format_number(case.value) if case else "?" for case in cases)
    text = f"{could}: {of_scored}, from {worst} to {best} of all, and the bound is {bound}"
    edges = [edge for case in cases if case for edge in (case.low, case.high) if edge is not None]
    if not edges:
        return text
    side, percent = SIDES.get(asked.op, "outer"), format_percent(asked.confidence or 0)
    least, most = format_number(min(edges)), format_number(max(edges))
    return f"{text}; the {side} bound at {percent} confidence is from {least} to {most}"


def satisfies(op: str, value: float, bound: float) -> bool:
    """Whether `value OP bound`, numbers nearer than the tolerance being equal."""
    close = math.isclose(value, bound, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    match op:
        case ">=":
            return close or value > bound
        case "<=":
            return close or value < bound
        case ">":
            return not close and value > bound
        case "<":
            return not close and value < bound
        case "==":
            return close
    raise ValueError(f"`{op}` is no comparison: one of {' '.join(WORDS)}")


def describe_verdict(asked: Requirement, verdict: Verdict) -> str:
    """ "accuracy is 0.725, at least 0.70, but its lower bound at 95% confidence (one-sided) is 0.683"."""
    numbers = [number for number in (verdict.value, verdict.low, verdict.high) if number is not None]
    digits = _digits(asked, numbers)
    value, *edges = (format_number(number, digits) for number in numbers)
    right, wrong = WORDS[asked.op]
    if asked.decided is not None:
        interval = f"{asked.metric} is {value} [{', '.join(edges)}] at {format_percent(asked.decided)} confidence"
        if verdict.met is None:
            return f"not decided: {interval}, which holds the bound {_format_bound(asked)}"
        return f"{interval}, {right if verdict.met else wrong} {_format_bound(asked)}"
    text = f"{asked.metric} is {value}, "
    if not asked.holds(verdict.value):
        return f"{text}{wrong} {_format_bound(asked)}"
    text += f"{right} {_format_bound(asked)}"
    if asked.confidence is None:
        return text
    percent = format_percent(asked.confidence)
    side = SIDES.get(asked.op)
    bound = f"its {side} bound at {percent} confidence (one-sided) is {edges[0]}" if side else ""
    bound = bound or f"its {percent} interval is [{', '.join(edges)}]"
    return f"{text}, {'and' if verdict.met else 'but'} {bound}"


def _format_bound(asked: Requirement) -> str:
    """ "0.70", or "0.892 within 8% (from 0.821)"."""
    bound = asked.bound
    text = f"{bound:.2f}" if math.isclose(round(bound, 2), bound, rel_tol=TOLERANCE) else format_given(bound)
    if not asked.within:
        return text
    low, high = (format_number(bound + side * asked.within) for side in (-1, 1))
    edges = {">=": f"from {low}", ">": f"above {low}", "<=": f"to {high}", "<": f"below {high}"}
    return f"{text} within {asked.tolerance} ({edges.get(asked.op, f'from {low} to {high}')})"


def _digits(asked: Requirement, numbers: Sequence[float]) -> int:
    """Three digits, or as many more as it takes for the printed numbers to tell the same story."""
    return next(
        (
            digits
            for digits in range(3, 15)
            if all(asked.holds(round(number, digits)) == asked.holds(number) for number in numbers)
        ),
        15,
    )
