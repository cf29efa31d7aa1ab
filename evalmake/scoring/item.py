"""One item of a benchmark as one run left it, and the mean of a metric over items and runs.

The unit of every standard error is the item, never the answer: several seeds and several repetitions ask
the same items again. With y the scores of a metric, S runs of n_s scored items each, and M_s the mean of
run s, the value is the mean of the M_s, and what item i adds to it is

    u_i = mean over the runs of (y_is - M_s) n / n_s          (0 where the run has no score of it)

so that SE^2 = G/(G-1) sum_g (sum_{i in g} u_i)^2 / n^2, the cluster-robust variance of Liang and Zeger (1986)
with its small-sample factor. Where items have weights w_i, M_s is sum w_i y_is / sum w_i, and n_s is n_w = sum w_i over
the scored items: u_i has the factor w_i n / n_w. That is the linearised variance of a ratio of two sums (Woodruff 1971;
Binder 1983 for clusters). Unequal weights make a sample smaller: by Kish (1965), G groups count as G / (1 + cv^2), with
cv the coefficient of variation of the weights.

A group g is a declared cluster, or else the items that ask the same (rows that repeat a question are no new
questions), or else a single item. For single items and no gaps this is sd(m_i) / sqrt(n), with m_i the mean of item i
over its runs (Miller, arXiv 2411.00640, sections 3.1 and 4.2).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Key = tuple[str, str]
"""An item's id and the hash of its content."""


class Item(NamedTuple):
    """One request of an item: its id, the hash of its content, its scores by metric, and what else is known of it."""

    id: str
    content: str
    scores: Mapping[str, float]
    cluster: str | None = None
    reply: str | None = None  # or a hash of it
    question: str = ""  # a hash of what was asked, if known: the same for copies of a record that differ in their ids
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    latency: float | None = None  # seconds
    tokens_in: float | None = None
    tokens_out: float | None = None


@dataclass(frozen=True, slots=True)
class ItemMean:
    """The mean of a metric over items and runs, and all that an interval needs to know of it."""

    mean: float
    stderr: float | None  # None for a single group
    items: int
    distinct: int  # items that ask something else
    answers: int  # scores, over runs and repetitions
    groups: int  # independent ones: clusters, or distinct items
    effective: float  # groups of equal weight that would tell as much
    clustered: bool  # whether clusters were declared
    lowest: float
    highest: float
    binary: bool  # whether every single score is 0 or 1

    @property
    def weighted(self) -> bool:
        """Whether items have unequal weights."""
        return self.effective != self.groups


@dataclass(slots=True)
class Answers:
    """What the runs of one side say of an item."""

    values: list[float]
    cluster: str | None
    question: str
    weight: float = 1.0

    @property
    def group(self) -> Hashable:
        """What it is drawn with: the others of its cluster, or else those that ask the same."""
        return ("question", self.question) if self.cluster is None else ("cluster", self.cluster)

    @property
    def mean(self) -> float:
        """The mean of its scores, of which there is one at least."""
        return self.values[0] if len(self.values) == 1 else _mean(self.values)


def collect_answers(runs: Iterable[Sequence[Item]], metric: str) -> dict[Key, Answers]:
    """The scores of each item, over runs and repetitions; an item without a score has an empty list."""
    found: dict[Key, Answers] = {}
    for items in runs:
        for item in items:
            question = item.question or item.content or item.id
            answers = found.setdefault((item.id, item.content), Answers([], item.cluster, question, item.weight))
            if metric in item.scores:
                answers.values.append(item.scores[metric])
    return found


def mean_items(items: Sequence[Item], metric: str) -> float | None:
    """The mean of a metric over the items of one run, as `average_items` has it; None without a score."""
    scored = [one for one in collect_answers([items], metric).values() if one.values]
    return weighted_mean([one.mean for one in scored], [one.weight for one in scored]) if scored else None


def list_distinct_scores(items: Sequence[Item], metric: str) -> list[float]:
    """A score for each question of one run: the mean of those of its copies."""
    found: dict[str, list[float]] = {}
    for answers in collect_answers([items], metric).values():
        if answers.values:
            found.setdefault(answers.question, []).append(answers.mean)
    return [_mean(scores) for scores in found.values()]


def average_items(runs: Sequence[Sequence[Item]], metric: str) -> ItemMean | None:
    """The mean of a metric over the items of all runs; None if a run has no score."""
    tables = [{key: one for key, one in collect_answers([items], metric).items() if one.values} for items in runs]
    if not tables or not all(tables):
        return None
    means = [{key: one.mean for key, one in table.items()} for table in tables]
    asked = {key: one for table in tables for key, one in table.items()}
    equal = len({one.weight for one in asked.values()}) == 1
    weights = [{key: 1.0 if equal else one.weight for key, one in table.items()} for table in tables]
    run_means = [weighted_mean([*one.values()], [*own.values()]) for one, own in zip(means, weights, strict=True)]
    n = len(asked)
    influences = dict.fromkeys(asked, 0.0)
    for table, own, run_mean in zip(means, weights, run_means, strict=True):
        factor = n / math.fsum(own.values()) / len(tables)
        for key, value in table.items():
            influences[key] += (value - run_mean) * factor * own[key]
    groups = [one.group for one in asked.values()]
    scores = [value for table in tables for one in table.values() for value in one.values]
    error = grouped_error(list(influences.values()), groups)
    count = len(set(groups))
    return ItemMean(
        mean=_mean(run_means),
        # Equal scores differ from their mean by rounding only.
        stderr=error if error is None or error > 1e-14 * max(map(abs, scores)) else 0.0,
        items=n,
        distinct=len({one.question for one in asked.values()}),
        answers=len(scores),
        groups=count,
        effective=count_effective(count, [one.weight for one in asked.values()]),
        clustered=any(one.cluster is not None for one in asked.values()),
        lowest=min(scores),
        highest=max(scores),
        binary=all(score in (0, 1) for score in scores),
    )


def grouped_error(influences: Sequence[float], groups: Sequence[Hashable]) -> float | None:
    """The cluster-robust standard error of a mean from what each item adds to it; None below two groups."""
    sums: dict[Hashable, list[float]] = {}
    for influence, group in zip(influences, groups, strict=True):
        sums.setdefault(group, []).append(influence)
    count = len(sums)
    if count < 2:
        return None
    squares = math.fsum(math.fsum(group) ** 2 for group in sums.values())
    return math.sqrt(count / (count - 1) * squares) / len(influences)


def clustered_se(
    values: Sequence[float], clusters: Sequence[Hashable], weights: Sequence[float] | None = None
) -> float | None:
    """The cluster-robust standard error of a mean of values, which may have weights; None below two clusters."""
    return grouped_error(find_influences(values, weights), clusters)


def find_influences(values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """What each value adds to the sum of which their mean is the n-th part, linearised where they have weights."""
    if weights is None or len(set(weights)) < 2:
        mean = _mean(values) if values else 0.0
        return [value - mean for value in values]
    mean, factor = weighted_mean(values, weights), len(values) / math.fsum(weights)
    return [(value - mean) * factor * weight for value, weight in zip(values, weights, strict=True)]


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The mean of values, each by its weight; equal weights are none."""
    if len(set(weights)) < 2:
        return _mean(values)
    products = [value * weight for value, weight in zip(values, weights, strict=True)]
    # A mean of equal values, and of those at an end of the scale, does not leave them by rounding.
    return min(max(math.fsum(products) / math.fsum(weights), min(values)), max(values))


def count_effective(groups: int, weights: Sequence[float]) -> float:
    """How many groups of equal weight tell as much: G / (1 + cv^2), at least 2 of two groups or more (Kish 1965)."""
    if len(set(weights)) < 2:
        return groups
    most = max(weights)
    shares = [weight / most for weight in weights]
    design_effect = len(shares) * math.fsum(share * share for share in shares) / math.fsum(shares) ** 2
    return max(float(min(groups, 2)), groups / max(design_effect, 1.0))


def find_repeated_runs(runs: Sequence[Sequence[Item]]) -> list[int]:
    """The runs, by their place, that gave the same replies and scores as an earlier one.

    Where no reply is on record, equal scores do not tell that replies were equal.
    """
    seen: set[Hashable] = set()
    repeated = []
    for place, items in enumerate(runs):
        if all(item.reply is None for item in items):
            continue
        marks = Counter((item.id, item.content, item.reply, frozenset(item.scores.items())) for item in items)
        mark = frozenset(marks.items())
        if mark in seen:
            repeated.append(place)
        seen.add(mark)
    return repeated


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
