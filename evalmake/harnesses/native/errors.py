"""The three ways a run goes wrong: the user's task, the endpoint, and one request."""

from __future__ import annotations


class TaskError(Exception):
    """The user's task, data or settings are wrong: one line for each mistake, nothing was asked."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


class EndpointError(Exception):
    """The run is useless: no such model, nobody there, or the gateway says that it is to end."""


class RequestError(Exception):
    """One request failed; its sample is errored, and the run goes on.

    `status` is the HTTP status where that is what was wrong.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
