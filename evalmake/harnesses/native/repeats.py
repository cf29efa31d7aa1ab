"""Several samples of each item, each with a seed of its own, and the scores of an item's samples together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalmake.harnesses.native.majority import counts_votes
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.sample_log import Sample
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.text_folding import make_folding
from evalmake.scoring.repeated_samples import MAJORITY, score_majority, score_repeats

_SEEDS = 2**31


def repeat_items(items: Iterable[Item], times: int) -> list[Item]:
    """Each item so many times, one after the other, as servers keep the beginnings of prompts for a while."""
    return [replace(item, repetition=number) for item in items for number in range(1, times + 1)]


def find_seed(seed: int | None, step: int, item: Item, params: Mapping[str, Any]) -> int | None:
    """The seed of a sample: its repetition has one of its own, unless nothing is drawn at random."""
    if seed is None or item.repetition in (None, 1) or params.get("temperature") == 0:
        return seed
    return (seed + (item.repetition - 1) * step) % _SEEDS


class RepeatedItems:
    """Holds the samples of an item until all are there, and gives each of them the scores of all together.

    Each of the samples has these scores, so their mean over the samples is that of the item.
    """

    def __init__(self, task: Task, items: Sequence[Item], headline: str) -> None:
        self.alike = 0
        """How many items have samples with equal replies."""
        self._repeats, self._headline = task.repeats, headline
        self._fold = make_folding(task.normalize)
        self._has_votes = all(counts_votes(scorers) for scorers in {item.scorers for item in items})
        self._held: dict[int, list[Sample]] = defaultdict(list)

    def add(self, sample: Sample) -> Sequence[Sample]:
        """The samples of the item if this is its last, else none."""
        held = self._held[sample.index]
        held.append(sample)
        return self._complete(self._held.pop(sample.index)) if len(held) == self._repeats else ()

    def flush(self) -> list[Sample]:
        """The samples of items of which some are missing, as they are."""
        left = [sample for held in self._held.values() for sample in held]
        self._held.clear()
        return left

    def score(self, samples: Iterable[Sample]) -> dict[str, float]:
        """The scores of an item by all its samples."""
        scored = [one for one in samples if one.error is None and self._headline in one.scores]
        right = [one.scores[self._headline] == 1 for one in scored]
        found = score_repeats(right, self._repeats)
        if self._has_votes and len(scored) == self._repeats:
            answers = [self._fold(one.answer) if one.answer else None for one in scored]
            found[MAJORITY] = score_majority(answers, right)
        return found

    def _complete(self, samples: Sequence[Sample]) -> list[Sample]:
        replies = {sample.reply for sample in samples}
        self.alike += len(replies) == 1 and None not in replies
        scores = self.score(samples)
        return [
            replace(one, scores={**one.scores, **scores}) if one.error is None and one.scores else one
            for one in samples
        ]
