"""Ends a run when its samples are enough: they count in the order in which they are asked, not of their replies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from evalmake.harnesses.native.errors import EndpointError
from evalmake.harnesses.native.sample_log import Sample
from evalmake.project.stop_rule import StopRule
from evalmake.scoring.stopping import ITEMS_IN_ALL, STOPPED_AFTER, OffScaleError, StopTest


class StopSequence:
    """Samples by their place; those behind a gap wait until it is filled.

    What is asked stops at the same sample however fast replies come, and with whatever concurrency. The few samples
    that were on their way then do not count; their replies stay in the reply cache.
    """

    def __init__(self, rule: StopRule, headline: str, window: int) -> None:
        self.test = StopTest(rule, headline)
        self.window = window
        self.counted = 0
        self.ended = False
        self._waiting: dict[int, Sample] = {}
        self._items: set[str] = set()
        self._moved = asyncio.Event()

    async def wait_for(self, place: int) -> None:
        """Wait until a place is near those that count: a slow reply lets at most `window` more be asked."""
        while place >= self.counted + self.window and not self.ended:
            await self._moved.wait()

    def add(self, place: int, sample: Sample) -> Iterator[Sample]:
        """Yield the samples that count from now on; EndpointError for a score that no rule can take."""
        self._waiting[place] = sample
        while not self.ended and (following := self._waiting.pop(self.counted, None)) is not None:
            self.counted += 1
            self.ended = self._is_enough(following)
            self._moved.set()
            self._moved = asyncio.Event()
            yield following

    def _is_enough(self, sample: Sample) -> bool:
        scores: Mapping[str, float] = {} if sample.error is not None else sample.scores
        if sample.item in self._items:  # a copy of a question tells nothing new
            return False
        self._items.add(sample.item)
        try:
            return self.test.add(scores)
        except OffScaleError as error:
            raise EndpointError(str(error)) from None

    def count_asked(self, in_all: int) -> dict[str, int]:
        """The counts of usage: after how many items asking stopped, of how many."""
        return {STOPPED_AFTER: self.counted, ITEMS_IN_ALL: in_all}
