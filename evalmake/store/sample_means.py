"""Aggregates stored samples again, and compares the means with the scores on record."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from evalmake.scoring.intervals import mean_se
from evalmake.scoring.item import clustered_se, weighted_mean
from evalmake.scoring.numbers import is_nearly_equal
from evalmake.scoring.sample_counts import read_weight
from evalmake.scoring.score import Score


class Agreement(Enum):
    """How a score on record fits its samples."""

    EXACT = "exact"
    NEAR = "near"
    """It differs by rounding."""
    UNKNOWN = "unknown"
    """It is no mean of the samples, such as BLEU."""
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A score on record beside the mean of its samples; `message` says what is wrong."""

    metric: str
    agreement: Agreement
    message: str = ""


def find_contradiction(scores: Sequence[Score], samples: bytes | None) -> str:
    """What the samples say of the first score that is not their mean; empty if all agree.

    A program may report what is no mean, such as BLEU. A score that has the standard error of its samples is one.
    """
    compared = compare_scores(scores, samples or b"")
    return next((one.message for one in compared if one.agreement is Agreement.CONTRADICTED), "")


def compare_scores(scores: Sequence[Score], samples: bytes) -> list[Comparison]:
    """Compare each score that has a value with the samples."""
    rows = list(_read_rows(samples))
    return [_compare(score, rows) for score in scores if score.value is not None]


def _compare(score: Score, rows: Sequence[tuple[str, str | None, float, dict[str, float]]]) -> Comparison:
    """A score is the mean of its samples if it has their standard error, or is their mean."""
    value = score.value or 0.0
    values = [(id, group, weight, found[score.metric]) for id, group, weight, found in rows if score.metric in found]
    estimates = list(_estimates(values))
    if any(value == mean for mean, _ in estimates):
        return Comparison(score.metric, Agreement.EXACT)
    errors = [(mean, error) for mean, error in estimates if error is not None]
    means = [mean for mean, error in errors if score.stderr is not None and is_nearly_equal(score.stderr, error)]
    if any(is_nearly_equal(value, mean) for mean in means):
        return Comparison(score.metric, Agreement.NEAR)
    if means:
        message = f"{score.metric} is {score.value:.6g} on record, and {means[0]:.6g} by its samples"
        return Comparison(score.metric, Agreement.CONTRADICTED, message)
    return Comparison(score.metric, Agreement.UNKNOWN)


def _read_rows(samples: bytes) -> Iterator[tuple[str, str | None, float, dict[str, float]]]:
    """Id, cluster, weight and scores of each row; a program may write lines that are none."""
    for line in samples.split(b"\n"):
        try:
            row: Any = json.loads(line)
            scores = {str(name): float(value) for name, value in row["scores"].items() if value is not None}
            cluster = row.get("cluster")
            yield str(row["id"]), None if cluster is None else str(cluster), read_weight(row), scores
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            continue


def _estimates(values: Sequence[tuple[str, str | None, float, float]]) -> Iterator[tuple[float, float | None]]:
    """Mean and standard error of the items, and of the rows: a harness averages an item's repetitions or does not."""
    items: dict[str, list[float]] = defaultdict(list)
    clusters: dict[str, str | None] = {}
    weights: dict[str, float] = {}
    for id, cluster, weight, value in values:
        items[id].append(value)
        clusters[id], weights[id] = cluster, weight
    averages = [math.fsum(found) / len(found) for found in items.values()]
    of_items = [clusters[id] or id for id in items]
    of_rows = [cluster or id for id, cluster, *_ in values]
    for numbers, groups, own in (
        (averages, of_items, list(weights.values())),
        ([value for *_, value in values], of_rows, [weight for _, _, weight, _ in values]),
    ):
        estimate = mean_se(numbers)
        if estimate.mean is None:
            continue
        if len(set(own)) > 1:
            yield weighted_mean(numbers, own), clustered_se(numbers, groups, own)
            continue
        yield estimate.mean, estimate.stderr
        yield estimate.mean, clustered_se(numbers, groups)
