"""Gates: the mean over the seeds of a cell compared with what a `require` asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import SeedAverage, average_seeds

TOLERANCE = 1e-12  # below this two numbers are equal: the mean of 0.8, 0.8, 0.8 is >= 0.8
WORDS = {
    ">=": ("at least", "below"),
    ">": ("above", "not above"),
    "<=": ("at most", "above"),
    "<": ("below", "not below"),
    "==": ("equal to", "not"),
}


@dataclass(frozen=True, slots=True)
class GateResult:
    """One `require` judged over the seeds of its cell; `met` is None where it cannot be judged."""

    address: str  # "grid/qwen2.5-7b/gsm8k"
    metric: str
    op: str
    bound: float
    met: bool | None
    value: float | None
    low: float | None
    high: float | None
    stderr: float | None
    parts: tuple[tuple[int, float | None], ...]  # each seed's value
    samples: tuple[int, ...]  # each seed's scored samples
    message: str  # one line, without the address

    @property
    def detail(self) -> str:
        """The parts in words: "mean of 3 seeds: 0.69, 0.68, 0.67; 500 samples each"."""
        values = ", ".join("none" if value is None else f"{value:.4g}" for _, value in self.parts)
        seeds = f"mean of {len(self.parts)} seeds" if len(self.parts) > 1 else "one seed"
        counts = [str(count) for count in self.samples]
        samples = f"{counts[0]} samples" if len(set(counts)) == 1 else f"{', '.join(counts)} samples"
        if len(counts) > 1 and len(set(counts)) == 1:
            samples += " each"
        return f"{seeds}: {values}; {samples}" if any(self.samples) else f"{seeds}: {values}"


def judge_gate(
    address: str,
    metric: str,
    op: str,
    bound: float,
    scores_by_seed: Mapping[int, Sequence[Score]],
    confidence: float | None,
) -> GateResult:
    """Compare the mean over the seeds with `bound`; `op` is one of >= > <= < ==.

    `scores_by_seed` holds everything each seed reported.  With `confidence` the whole interval must
    lie on the right side.  A metric that a seed did not report or could not score, and an interval
    that cannot be estimated, leave the gate unjudged.
    """
    found = {seed: find_score(metric, scores) for seed, scores in sorted(scores_by_seed.items())}
    reported = [score for score in found.values() if score is not None]
    pooled = average_seeds(reported, confidence or 0.95)
    complaint = _complaint(metric, found, scores_by_seed)
    if not complaint and confidence is not None and pooled.low is None:
        complaint = f"{metric} has no interval, and {confidence * 100:.4g}% confidence is asked for"
    met = None if complaint else _is_met(op, bound, pooled, confidence is not None)
    return GateResult(
        address=address,
        metric=metric,
        op=op,
        bound=bound,
        met=met,
        value=pooled.mean,
        low=pooled.low,
        high=pooled.high,
        stderr=pooled.stderr,
        parts=tuple((seed, score.value if score else None) for seed, score in found.items()),
        samples=tuple(score.scored if score else 0 for score in found.values()),
        message=complaint or _verdict(metric, op, bound, pooled, confidence),
    )


def find_score(metric: str, scores: Sequence[Score]) -> Score | None:
    """The score that a gate names; lm-eval's own spelling of a filter, `exact_match,strict`, will do."""
    by_name = {score.metric: score for score in reversed(scores)}
    return by_name.get(metric) or by_name.get(metric.replace(",", "."))


def _complaint(metric: str, found: Mapping[int, Score | None], reported: Mapping[int, Sequence[Score]]) -> str:
    """Why the gate cannot be judged by the scores there are; empty if it can."""
    if not found:
        return f"no run has a result, so {metric} is not known"
    absent = [seed for seed, score in found.items() if score is None]
    unscored = [seed for seed, score in found.items() if score and score.value is None]
    if absent:
        names = sorted({score.metric for seed in absent for score in reported[seed]})
        where = "" if len(absent) == len(found) else f" by {_seeds(absent)}"
        known = f"the metrics are {', '.join(names)}" if names else "there are no scores at all"
        return f"{metric} was not reported{where}; {known}"
    return f"{metric} has no value for {_seeds(unscored)}" if unscored else ""


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _is_met(op: str, bound: float, pooled: SeedAverage, surely: bool) -> bool:
    numbers = (pooled.mean, pooled.low, pooled.high) if surely else (pooled.mean,)
    return all(satisfies(op, number, bound) for number in numbers if number is not None)


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


def _verdict(metric: str, op: str, bound: float, pooled: SeedAverage, confidence: float | None) -> str:
    """ "accuracy is 0.680 +/- 0.024, below 0.70": +/- is the longer side of the interval."""
    numbers = [n for n in (pooled.mean, pooled.low, pooled.high) if n is not None]
    digits = _digits(op, bound, numbers)
    value, *edges = (f"{number:.{digits}f}" for number in numbers)
    text = f"{metric} is {value}"
    if edges:
        text += f" +/- {max(abs(edge - numbers[0]) for edge in numbers[1:]):.{digits}f}"
    right, wrong = WORDS[op]
    goal = f"{bound:.2f}" if float(f"{bound:.2f}") == bound else repr(bound)
    if not satisfies(op, numbers[0], bound):
        return f"{text}, {wrong} {goal}"
    text += f", {right} {goal}"
    if confidence is None:
        return text
    sure = _is_met(op, bound, pooled, surely=True)
    interval = f"[{', '.join(edges)}]"
    return f"{text}{'' if sure else ', but not'} with {confidence * 100:.4g}% confidence: {interval}"


def _digits(op: str, bound: float, numbers: Sequence[float]) -> int:
    """Three digits, or as many more as it takes for the printed numbers to tell the same story."""
    return next(
        (
            digits
            for digits in range(3, 15)
            if all(satisfies(op, round(number, digits), bound) == satisfies(op, number, bound) for number in numbers)
        ),
        15,
    )
