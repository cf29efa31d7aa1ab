"""Aggregates samples: scores with their uncertainty, and usage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.harnesses.native.sample_log import Sample
from evalmake.scoring.failure_classes import FailureKey, find_key
from evalmake.scoring.unscored_causes import UNSCORED, describe_cause

_Row = tuple[int, float, str | None, float]
"""Of one sample and metric: the index of its item, the value, the item's cluster and its weight."""


@dataclass(slots=True)
class Tally:
    """Aggregates samples; keeps their scores, not their texts."""

    total: int
    expected: Mapping[str, int] = field(default_factory=dict)
    """How many samples can have a metric, where that is not all of them."""
    sequential: bool = False
    """Whether the samples are as many as were enough: then intervals hold whenever that was."""
    scored: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    errors: int = 0
    truncated: int = 0
    values: dict[str, list[_Row]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    """By the first of those that are alike."""
    _first_reasons: dict[FailureKey, str] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.tokens_in += sample.tokens_in or 0
        self.tokens_out += sample.tokens_out or 0
        self.truncated += sample.finish_reason == "length"
        self.errors += sample.error is not None
        if sample.error is not None or not sample.scores:
            reason = sample.error or UNSCORED
            self.reasons[self._first_reasons.setdefault(find_key(reason), reason)] += 1
            return
        self.scored += 1
        for metric, value in sample.scores.items():
            self.values.setdefault(metric, []).append((sample.index, value, sample.cluster, sample.weight or 1.0))

    def metric(self, default: str) -> str:
        """The headline metric: `default` if it was scored, else the first in the data."""
        if default in self.values or not self.values:
            return default
        # First by the order of the data, not of completion: this must not depend on timing.
        return min(self.values, key=lambda metric: min(self.values[metric])[0])

    def explain_no_score(self) -> str | None:
        """The message if no sample was scored, else None."""
        if self.scored:
            return None
        reason, count = (self.reasons.most_common(1) or [("no request was sent", 0)])[0]
        return f"0 of {self.total} samples were scored; {describe_cause(reason, count)}"

    def result(self, status: str, metric: str, requests: int | None) -> dict[str, Any]:
        """Build the content of scores.json; `requests` is the number of requests sent, None where none could be."""
        names = sorted(self.values) or [metric]
        usage = ("tokens_in", "tokens_out", "errors", "truncated") if requests is not None else ("errors",)
        return {
            "status": status,
            "metric": metric,
            "scores": {name: self._score(name) for name in names},
            "usage": ({} if requests is None else {"requests": requests})
            | {name: getattr(self, name) for name in usage},
        }

    def _score(self, metric: str) -> dict[str, float | int | None]:
        """A score; `clusters` counts the items where each has several samples, as these are no independent ones."""
        rows = sorted(self.values.get(metric, []), key=lambda row: row[0])
        clusters = [row[2] or f"#{row[0]}" for row in rows]  # an item without a cluster is one of its own
        clustered = any(row[2] for row in rows)
        values = [row[1] for row in rows]
        found = estimate_mean(rows, clusters if clustered else None)
        if self.sequential and values and min(values) >= 0 and max(values) <= 1:
            from evalmake.scoring.anytime import anytime_interval

            found["low"], found["high"] = anytime_interval(values, 0.95)
        counted = {"clusters": len(set(clusters))} if len(set(clusters)) < len(rows) or clustered else {}
        return {**found, "scored": len(rows), "unscored": self.expected.get(metric, self.total) - len(rows), **counted}


def estimate_mean(rows: Sequence[_Row], clusters: Sequence[str | None] | None) -> dict[str, float | None]:
    """Estimate mean, standard error and 95 % interval; None for what cannot be estimated.

    Several samples of one item count as their mean. Clustered items have the cluster-robust standard error, and
    weighted ones that of a weighted mean.
    """
    from evalmake.scoring.intervals import item_interval
    from evalmake.scoring.item import Item, average_items

    grouped = clusters if clusters is not None else [None] * len(rows)
    items = [
        Item(str(index), "", {"": value}, cluster, weight=weight)
        for (index, value, _, weight), cluster in zip(rows, grouped, strict=True)
    ]
    found = average_items([items], "")
    if found is None:
        return dict.fromkeys(("value", "stderr", "low", "high"))
    low, high = item_interval(found, 0.95)[0] or (None, None)
    return {"value": found.mean, "stderr": found.stderr, "low": low, "high": high}
