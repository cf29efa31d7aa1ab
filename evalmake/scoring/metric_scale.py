"""The scale of a metric, as far as its scores tell: whether it fits a bound, and what unscored samples could be."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from evalmake.scoring.intervals import Interval, fits_share, is_binary
from evalmake.scoring.item import Item, average_items
from evalmake.scoring.numbers import format_given, format_number, format_percent
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run
from evalmake.scoring.share_names import is_share_name

_SHARE: Interval = (0.0, 1.0)
_NO_SHARE = 2.0  # from here on a number is no share that is off by a little, but on another scale
_QUANTITY = re.compile(
    "latency|times?|duration|m?s|secs?|seconds?|minutes?|ttft|tokens?|chars?|words?|length|bytes|bits|costs?|usd|price"
    "|loss|nll|entropy|perplexity|ppl|counts?|steps?|turns?|calls?|requests?|retries|rounds?|speedup"
)
"""A word in the name of a metric that is measured or counted: it has no percentages."""


def describe_scale_mismatch(metric: str, op: str, bound: float, is_share: bool, runs: Sequence[Run]) -> str:
    """The message if the bound is a share and the metric is not, or not in all samples; empty if they fit.

    73.5 is above 80%, and says nothing.  A bound of 0.8 that is no percentage can be meant for a ratio, as of
    run times: then only numbers from 2 on are doubted, and only where they would meet the gate.  With a metric
    that is a share by its name, all above 1 are, and the bound can be 1.  500% is 5 on whatever scale.
    """
    named = is_share_name(metric)
    if is_share and bound <= 1:
        least, most, written = *_SHARE, format_percent(bound)
    elif (0 < bound < 1 or (named and bound == 1)) and op in (">=", ">"):
        most = 1.0 if named else math.nextafter(_NO_SHARE, 0)
        least, written = -math.inf, format_given(bound)
    else:
        return ""
    for run in runs:
        score = run.score(metric)
        if score is None or score.value is None or _is_share_by_summary(score):
            continue
        if not least <= score.value <= most:
            return _describe(f"{metric} is {format_number(score.value)}", metric, op, bound, written)
        values = [item.scores[metric] for item in run.read_items() or () if metric in item.scores]
        odd = next((value for value in values if not least <= value <= most), None)
        if odd is not None:
            return _describe(f"{metric} of single samples is {format_number(odd)}", metric, op, bound, written)
    return ""


def _is_share_by_summary(score: Score) -> bool:
    return score.value is not None and is_binary(score.value, score.stderr or 0.0, score.scored)


def _describe(found: str, metric: str, op: str, bound: float, written: str) -> str:
    return (
        f"{found}, and the bound {written} is a share from 0 to 1: if the metric goes to 100, write"
        f" `require {metric} {op} {format_given(bound * 100)}`"
    )


def may_be_percentage(bound: float, metric: str, runs: Sequence[Run]) -> bool:
    """Whether a bound that was not written as a percentage may be one: 80 where all scores are from 0 to 1."""
    if any(_QUANTITY.fullmatch(word) for word in re.split("[^a-z]+", metric.lower())):
        return False
    return _NO_SHARE <= bound <= 100 and all(_may_be_share(run, metric) for run in runs)


def _may_be_share(run: Run, metric: str) -> bool:
    score = run.score(metric)
    if score is None or score.value is None or not 0 <= score.value <= 1:
        return False
    values = [item.scores[metric] for item in run.read_items() or () if metric in item.scores]
    if values:
        return min(values) >= 0 and max(values) <= 1
    return score.stderr is None or fits_share(score.value, score.stderr, score.clusters or score.scored)


def find_bounds(metric: str, runs: Sequence[Run]) -> Interval | None:
    """What an unscored sample can score at worst and at best: 0 and 1 if all scored ones lie there, else unknown."""
    for run in runs:
        score, items = run.score(metric), run.items(metric)
        if score is None or score.value is None:
            continue
        if items is None:
            if not _is_share_by_summary(score):
                return None
        else:
            found = average_items([items], metric)
            if found is None or found.lowest < 0 or found.highest > 1:
                return None
    return _SHARE


def fill_unscored(run: Run, metric: str, value: float) -> Run:
    """The run as it were if each of its unscored samples had scored `value`."""
    score = run.score(metric)
    if score is None or not score.unscored:
        return run
    scored, unscored = score.scored, score.unscored
    total, mean = scored + unscored, score.value if score.value is not None else value
    overall = (mean * scored + value * unscored) / total
    within = (score.stderr or 0.0) ** 2 * scored * (scored - 1)
    between = scored * (mean - overall) ** 2 + unscored * (value - overall) ** 2
    stderr = math.sqrt((within + between) / total / (total - 1)) if total > 1 else None
    filled = replace(score, value=overall, stderr=stderr, scored=total, unscored=0, clusters=None)
    items = run.items(metric)
    complete = None if items is None else _fill_items(items, metric, value, unscored)
    estimate = average_items([complete], metric) if complete else None
    if estimate and estimate.weighted:
        filled = replace(filled, value=estimate.mean, stderr=estimate.stderr)
    scores = tuple(filled if one.metric == metric else one for one in run.scores)
    return Run(scores, lambda: complete, run.harness)


def _fill_items(items: Sequence[Item], metric: str, value: float, unscored: int) -> list[Item]:
    """The items, those without a score given one; samples that left no row are added."""
    scored = {item.id for item in items if metric in item.scores}
    filled: dict[str, Item] = {}
    for item in items:
        if item.id not in scored:
            filled[item.id] = item._replace(scores={**item.scores, metric: value})
    kept = [item for item in items if item.id in scored]
    lost = [Item(f"unscored {number}", "", {metric: value}) for number in range(unscored - len(filled))]
    return [*kept, *filled.values(), *lost]
