"""What an interceptor is: one page for whoever writes one.

A third party's is a subclass of `Interceptor` under the entry-point group `evalmake.interceptors`,
asked for by `adapter = { plugins = { NAME = { ...its settings } } }`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from evalmake.gateway.proxy.http_messages import Headers

if TYPE_CHECKING:
    from pydantic import BaseModel

Body = dict[str, Any]


class Record(Protocol):
    """Where an interceptor leaves what it found: a count by name, or a row for the record."""

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a count of the evaluation."""

    def row(self, name: str, values: Mapping[str, object]) -> None:
        """Append a row to NAME.jsonl in the evaluation's record."""


class Events:
    """The events of one streamed reply, each a parsed `data:` object; by default they just pass."""

    def event(self, event: Body) -> Iterable[Body]:
        """What is sent for an event: itself, others, or nothing yet."""
        return (event,)

    def end(self) -> Iterable[Body]:
        """What is sent before `[DONE]`."""
        return ()


class Interceptor:
    """One evaluation's; `asks` and `answers` tell which side it changes, the other passes as it is.

    `behaviour` is raised when what it does changes: it is part of every identity that it stands in.
    """

    asks: ClassVar[bool] = False
    answers: ClassVar[bool] = False
    behaviour: ClassVar[int] = 1
    Settings: ClassVar[type[BaseModel] | None] = None

    def request(self, body: Body, path: str) -> Body:
        """The body of a request, changed (it may be changed in place)."""
        return body

    def headers(self, headers: Headers) -> Headers:
        """The headers that the model's side sees, names in the harness's spelling."""
        return headers

    def reply(self, body: Body, record: Record) -> Body:
        """A whole reply, changed."""
        return body

    def events(self, record: Record) -> Events:
        """The changer of one streamed reply."""
        return Events()
