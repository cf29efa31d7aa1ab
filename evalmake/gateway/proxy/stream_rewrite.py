"""A stream on its way to the harness, changed event by event."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.gateway.interceptors.interceptor import Body, Interceptor, Record
from evalmake.gateway.proxy import server_sent_events


class Changed:
    """A stream's bytes, changed event by event."""

    def __init__(self, changers: Iterable[Interceptor], record: Record) -> None:
        self._splitter = server_sent_events.Splitter()
        self._changers = [one.events(record) for one in changers]
        self._ended = False

    def all(self, data: bytes) -> list[bytes]:
        """A whole stream at once."""
        return [*self.feed(data), *self.end()]

    def feed(self, piece: bytes) -> list[bytes]:
        """What is sent for a piece."""
        return self._written(self._splitter.feed(piece))

    def end(self) -> list[bytes]:
        """What is sent at the end."""
        return [*self._written(self._splitter.end()), *map(server_sent_events.written, self._last())]

    def _written(self, events: list[Body | bytes]) -> list[bytes]:
        sent: list[Body | bytes] = []
        for event in events:
            if isinstance(event, bytes):
                sent += [*self._last(), event] if server_sent_events.is_done(event) else [event]
            else:
                sent += self._through([event], 0)
        return [server_sent_events.written(event) for event in sent]

    def _through(self, events: list[Body], first: int) -> list[Body]:
        for changer in self._changers[first:]:
            events = [sent for event in events for sent in changer.event(event)]
        return events

    def _last(self) -> list[Body]:
        """What the changers still hold; each one's passes those behind it."""
        if self._ended:
            return []
        self._ended = True
        return [
            sent
            for number, changer in enumerate(self._changers)
            for sent in self._through(list(changer.end()), number + 1)
        ]
