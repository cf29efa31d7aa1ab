"""The three errors of a run: of the task, of the endpoint, of one request."""

from __future__ import annotations


class TaskError(Exception):
    """The task, data or settings are wrong; one line for each error; no request was sent."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


class EndpointError(Exception):
    """No request can succeed: unknown model, no connection, or the gateway ended the run."""


class RequestError(Exception):
    """One request failed; its sample has an error, and the run continues.

    `status` is the HTTP status, if that is the cause.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
