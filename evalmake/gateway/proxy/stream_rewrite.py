"""Rewriting of a streamed reply on its way to the harness.

A stream is rewritten event by event and never collected first: harnesses measure the time to the first token, and
give up when nothing comes.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.gateway.interceptors.interceptor import Body, EvaluationRecord, Interceptor
from evalmake.gateway.proxy.server_sent_events import EventSplitter, event_to_bytes, is_done_marker


class StreamRewrite:
    """Rewrites the bytes of one stream by the interceptors' event rewriters, one after another."""

    def __init__(self, interceptors: Iterable[Interceptor], record: EvaluationRecord) -> None:
        self._splitter = EventSplitter()
        self._rewriters = [interceptor.new_event_rewriter(record) for interceptor in interceptors]
        self._flushed = False

    def feed(self, piece: bytes) -> list[bytes]:
        """What to send for a piece of the stream."""
        return self._rewrite(self._splitter.feed(piece))

    def finish(self) -> list[bytes]:
        """What to send at the end of the stream."""
        return [*self._rewrite(self._splitter.finish()), *map(event_to_bytes, self._flush())]

    def _rewrite(self, events: list[Body | bytes]) -> list[bytes]:
        sent: list[Body | bytes] = []
        for event in events:
            if not isinstance(event, bytes):
                sent += self._pass_through([event], 0)
            elif is_done_marker(event):
                sent += [*self._flush(), event]  # clients read nothing behind the marker
            else:
                sent.append(event)
        return [event_to_bytes(event) for event in sent]

    def _pass_through(self, events: list[Body], first: int) -> list[Body]:
        """Events after all rewriters from number `first` on."""
        for rewriter in self._rewriters[first:]:
            events = [sent for event in events for sent in rewriter.rewrite_event(event)]
        return events

    def _flush(self) -> list[Body]:
        """What the rewriters still hold; each one's events pass those behind it."""
        if self._flushed:
            return []
        self._flushed = True
        return [
            sent
            for number, rewriter in enumerate(self._rewriters)
            for sent in self._pass_through(list(rewriter.flush()), number + 1)
        ]
