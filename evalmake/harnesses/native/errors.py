"""The three errors of a run: of the task, of the endpoint, of one request."""

from __future__ import annotations

from typing import NamedTuple

from evalmake.scoring.unscored_causes import CauseKind, find_kind_of_status


class Mistake(NamedTuple):
    """One mistake in a task or its data: what is wrong, the key that it concerns, and what to do.

    `place` is where in the text of the key: the first character, and how many.
    """

    message: str
    key: str = ""
    help: str = ""
    place: tuple[int, int] | None = None


class TaskError(Exception):
    """The task, data or settings are wrong; a mistake for each error; no request was sent."""

    def __init__(self, *mistakes: str | Mistake) -> None:
        self.mistakes = tuple(Mistake(one) if isinstance(one, str) else one for one in mistakes)
        super().__init__(*self.messages)

    @property
    def messages(self) -> tuple[str, ...]:
        """A line for each mistake."""
        return tuple(mistake.message for mistake in self.mistakes)


class RecordError(ValueError):
    """A record does not fit a key of the task."""

    def __init__(self, key: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.help = help

    def at(self, where: str) -> Mistake:
        """The mistake, with the place of the record."""
        return Mistake(f"{where}: {self}", self.key, self.help)


class EndpointError(Exception):
    """The run ends: unknown model, no connection, the gateway ended it, or a score that its stop rule cannot take."""


class MissingReply(Exception):
    """The stored samples are not all that the items need: a model must be asked after all."""


class RequestError(Exception):
    """One request failed; its sample has an error, and the run continues.

    `status` is the HTTP status, if that is the cause; `kind` says more than it does.
    """

    def __init__(self, message: str, status: int | None = None, kind: CauseKind | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind or find_kind_of_status(status)


class UnusableReply(RequestError):
    """A reply came whose form is wrong: its sample has an error, and the same request would have the same one."""

    def __init__(self, message: str) -> None:
        super().__init__(f"unusable reply: {message}", kind="same-again")
