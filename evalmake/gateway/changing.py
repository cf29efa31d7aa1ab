"""A stream on its way to the harness, changed event by event."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.gateway import sse
from evalmake.gateway.interceptors.base import Body, Interceptor, Record


class Changed:
    """A stream's bytes, changed event by event."""

    def __init__(self, changers: Iterable[Interceptor], record: Record) -> None:
        self._splitter = sse.Splitter()
        self._changers = [one.events(record) for one in changers]

    def all(self, data: bytes) -> list[bytes]:
        """A whole stream at once."""
        return [*self.feed(data), *self.end()]

    def feed(self, piece: bytes) -> list[bytes]:
        """What is sent for a piece."""
        return self._written(self._splitter.feed(piece))

    def end(self) -> list[bytes]:
        """What is sent at the end."""
        return self._written(self._splitter.end())

    def _written(self, events: list[Body | bytes]) -> list[bytes]:
        for changer in self._changers:
            events = [
                sent
                for event in events
                for sent in ((event,) if isinstance(event, bytes) else changer.event(event))
            ]
        return [sse.written(event) for event in events]
