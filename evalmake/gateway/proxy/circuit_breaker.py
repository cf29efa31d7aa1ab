"""When an evaluation must stop, because no request of it can succeed."""

from __future__ import annotations

HOPELESS = frozenset({401, 402, 403})
"""The endpoint refuses the key or the account: every other request would fail, too."""
_FAILURES_IN_A_ROW = 3


class EvaluationStopped(Exception):
    """The evaluation stops, or stopped while a request of it waited."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the gateway stopped this evaluation: {reason}")


class CircuitBreaker:
    """Stops an evaluation that cannot succeed, with the reason, instead of letting it score zero."""

    def __init__(self, client_errors: bool | list[int]) -> None:
        self._stops_on_client_errors = bool(client_errors) or client_errors == []
        self._allowed_statuses = {408, 429} | (set(client_errors) if isinstance(client_errors, list) else set())
        self._failures = 0
        self.reason = ""
        self.status = 0

    def stop(self, reason: str, status: int = 0) -> None:
        """Stop the evaluation; the first reason stays, with the status of a reply that is reason enough."""
        if not self.reason:
            self.reason, self.status = reason, status

    def raise_if_stopped(self) -> None:
        """Raise EvaluationStopped if the evaluation is stopped."""
        if self.reason:
            raise EvaluationStopped(self.reason)

    def record_reply(self, status: int, message: str) -> None:
        """Note a reply that goes to the harness; `message` describes an error."""
        client_error = 400 <= status < 500 and self._stops_on_client_errors and status not in self._allowed_statuses
        if (status in HOPELESS and status not in self._allowed_statuses) or client_error:
            self.stop(message, status)
        elif status < 400:
            self._failures = 0

    def record_failure(self, message: str) -> None:
        """Note a request that failed in all its tries."""
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            self.stop(f"{self._failures} requests in a row failed, the last one: {message}")
