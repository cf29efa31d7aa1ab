"""Results divided by the tags of their samples: a row or a column for each tag, such as each topic of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from evalmake.scoring.item import Item, average_items
from evalmake.scoring.result import UNTAGGED, Result
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run

TAG = "tag"
"""The coordinate of a report."""


def divide_by_tag(results: Sequence[Result], read_items: Callable[[Result], Sequence[Item] | None]) -> list[Result]:
    """Each result once for each tag of its samples; what has none stays, as `-`.

    An item with two tags counts in both. A metric that is no mean of items has no value for a tag, and one that no
    item with the tag has, such as that of a check, is left out there.
    """
    return [part for result in results for part in _divide(result, read_items(result))]


def choose_tagged(items: Sequence[Item] | None, tag: str) -> list[Item] | None:
    """The items that have a tag, or those without any."""
    if items is None:
        return None
    return [item for item in items if (tag in item.tags if tag != UNTAGGED else not item.tags)]


def _divide(result: Result, items: Sequence[Item] | None) -> Iterator[Result]:
    if not items or not any(item.tags for item in items):
        yield result
        return
    run = Run(result.scores, lambda: items)
    means = [score.metric for score in result.scores if run.items(score.metric) is not None]
    tags = dict.fromkeys(tag for item in items for tag in item.tags)
    for tag in [*sorted(tags), *([UNTAGGED] if any(not item.tags for item in items) else [])]:
        chosen = choose_tagged(items, tag) or []
        known = [metric for metric in means if metric == result.metric or any(metric in one.scores for one in chosen)]
        scores = tuple(_score(metric, chosen) for metric in known)
        if result.metric not in means:
            scores = (Score(result.metric, None), *scores)
        yield replace(result, tag=tag, scores=scores)


def _score(metric: str, items: Sequence[Item]) -> Score:
    scored = sum(metric in item.scores for item in items)
    found = average_items([items], metric)
    clusters = found.groups if found and found.clustered else None
    value, stderr = (found.mean, found.stderr) if found else (None, None)
    return Score(metric, value, stderr, scored=scored, unscored=len(items) - scored, clusters=clusters)
