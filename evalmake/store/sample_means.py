"""Aggregates stored samples again, and compares the means with the scores on record."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from evalmake.scoring.intervals import mean_se
from evalmake.scoring.item import clustered_se
from evalmake.scoring.numbers import is_nearly_equal
from evalmake.scoring.score import Score


def find_contradiction(scores: Sequence[Score], samples: bytes | None) -> str:
    """What the samples say of the first score that is not their mean; empty if all agree.

    A program may report what is no mean, such as BLEU. A score that has the standard error of its samples is one.
    """
    rows = list(_read_rows(samples or b""))
    for score in scores:
        values = [(id, cluster, found[score.metric]) for id, cluster, found in rows if score.metric in found]
        if score.value is None or score.stderr is None:
            continue
        means = [mean for mean, error in _estimates(values) if is_nearly_equal(score.stderr, error)]
        if means and not any(is_nearly_equal(score.value, mean) for mean in means):
            return f"{score.metric} is {score.value:.6g} on record, and {means[0]:.6g} by its samples"
    return ""


def _read_rows(samples: bytes) -> Iterator[tuple[str, str | None, dict[str, float]]]:
    """Id, cluster and scores of each row; a program may write lines that are none."""
    for line in samples.split(b"\n"):
        try:
            row: Any = json.loads(line)
            scores = {str(name): float(value) for name, value in row["scores"].items() if value is not None}
            cluster = row.get("cluster")
            yield str(row["id"]), None if cluster is None else str(cluster), scores
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            continue


def _estimates(values: Sequence[tuple[str, str | None, float]]) -> Iterator[tuple[float, float]]:
    """Mean and standard error of the items, and of the rows: a harness averages an item's repetitions or does not."""
    items: dict[str, list[float]] = defaultdict(list)
    clusters: dict[str, str | None] = {}
    for id, cluster, value in values:
        items[id].append(value)
        clusters[id] = cluster
    averages = [math.fsum(found) / len(found) for found in items.values()]
    of_items = [clusters[id] or id for id in items]
    for numbers, groups in (
        (averages, of_items),
        ([value for *_, value in values], [cluster or id for id, cluster, _ in values]),
    ):
        estimate = mean_se(numbers)
        if estimate.mean is None:
            continue
        for error in (estimate.stderr, clustered_se(numbers, groups)):
            if error is not None:
                yield estimate.mean, error
