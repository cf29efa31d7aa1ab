"""The three ways a run goes wrong: the user's task, the endpoint, and one request."""

from __future__ import annotations


class TaskError(Exception):
    """The user's task, data or settings are wrong: one line for each mistake, nothing was asked."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


class EndpointError(Exception):
    """The endpoint makes the whole run useless (no such model, bad key, nobody there)."""


class RequestError(Exception):
    """One request failed for good; its sample is errored, and the run goes on.

    `kind` is short and the same for failures of one sort ("HTTP 503", "timeout"), so that runs in
    which everything fails alike can be recognised. The client adds the `address` it was sent to
    and, in `attempts`, how often.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.address = ""
        self.attempts = 1


class TransientError(RequestError):
    """A failure worth another try: 408, 429, 5xx, timeouts, broken connections, torn JSON.

    `after` is the wait in seconds that the server asked for; `fatal` says that the run, not only
    this sample, is lost when the tries are used up (nobody listens, or a web page does).
    """

    def __init__(
        self, kind: str, message: str, *, after: float | None = None, fatal: bool = False
    ) -> None:
        super().__init__(kind, message)
        self.after = after
        self.fatal = fatal
