"""What an interceptor is: one page for whoever writes one.

A third party's interceptor is a subclass of `Interceptor` under the entry-point group `evalmake.interceptors`. An
Evalfile asks for it by `adapter = { plugins = { NAME = { ...its settings } } }`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from evalmake.http_protocol.messages import Headers

if TYPE_CHECKING:
    from pydantic import BaseModel

Body = dict[str, Any]


class EvaluationRecord(Protocol):
    """Where an interceptor records what it found: a count, or a row."""

    def add_count(self, name: str, amount: int = 1) -> None:
        """Add to a count of the evaluation."""

    def append_row(self, name: str, values: Mapping[str, object]) -> None:
        """Append a row to NAME.jsonl in the evaluation's record."""


class EventRewriter:
    """Rewrites the events of one streamed reply, each a parsed `data:` object; by default they pass."""

    def rewrite_event(self, event: Body) -> Iterable[Body]:
        """What to send for an event: the event, others, or nothing yet."""
        return (event,)

    def flush(self) -> Iterable[Body]:
        """What to send before `[DONE]`."""
        return ()


class Interceptor:
    """Changes the requests and replies of one evaluation.

    Raise `behaviour` when it changes what it does: the number is part of the identity of every result that the
    interceptor takes part in.
    """

    rewrites_requests: ClassVar[bool] = False
    """Whether `rewrite_request` does anything. Otherwise requests pass byte for byte."""
    rewrites_replies: ClassVar[bool] = False
    """Whether `rewrite_reply` and `new_event_rewriter` do anything. Otherwise replies pass byte for byte."""
    behaviour: ClassVar[int] = 1
    Settings: ClassVar[type[BaseModel] | None] = None

    def rewrite_request(self, body: Body, path: str) -> Body:
        """The body of a request as the model gets it; `body` may be changed in place."""
        return body

    def rewrite_headers(self, headers: Headers) -> Headers:
        """The headers that the model gets, names in the harness's spelling."""
        return headers

    def rewrite_reply(self, body: Body, record: EvaluationRecord) -> Body:
        """A whole reply as the harness gets it."""
        return body

    def new_event_rewriter(self, record: EvaluationRecord) -> EventRewriter:
        """The rewriter of one streamed reply."""
        return EventRewriter()
