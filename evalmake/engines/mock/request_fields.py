"""Reading a request's fields, and saying in OpenAI's form what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalmake.engines.mock.tokens import piece

Body = dict[str, Any]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
_TYPES |= {405: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An answer that is an error: its HTTP status, its message and the field it is about."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field

    def body(self) -> Body:
        """The error object of the OpenAI API (reference, "Error codes")."""
        kind = _TYPES.get(self.status, "server_error")
        error = {"message": str(self), "type": kind, "param": self.field, "code": self.status}
        return {"error": error}


@dataclass(frozen=True, slots=True)
class Sampling:
    """What chat and text completions have in common; `most` is the limit of new tokens."""

    count: int
    seed: int | None
    temperature: float
    stop: tuple[str, ...]
    most: int | None
    stream: bool
    stream_usage: bool

    @classmethod
    def read(cls, body: Body, most: int | None) -> Sampling:
        """Read the common fields; ApiError 400 names the one that is wrong."""
        options = body.get("stream_options") or {}
        if not isinstance(options, dict):
            raise ApiError(400, "stream_options must be an object", "stream_options")
        return cls(
            count=integer(body, "n", 1, 1, 128) or 1,
            seed=integer(body, "seed", None, -(2**63), 2**64),
            temperature=_temperature(body),
            stop=_stop(body),
            most=most,
            stream=bool(body.get("stream")),
            stream_usage=bool(options.get("include_usage")),
        )

    def nth(self, draw: str, index: int) -> str:
        """The draw of one of several choices; greedy ones are all the same."""
        return f"{draw} choice {index}" if index and self.temperature else draw


def integer(body: Body, field: str, default: int | None, low: int, high: int) -> int | None:
    """An integer from low to high; `default` where it is absent or null."""
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ApiError(400, f"{field} must be an integer from {low} to {high}", field)
    return value


def from_ids(ids: Any) -> list[str]:
    """The text of each token id; ApiError 400 for what is no list of ids."""
    if not isinstance(ids, list) or not all(is_id(token) for token in ids):
        raise ApiError(400, "token ids must be integers from 0 to 2^63 - 1")
    return [piece(token) for token in ids]


def is_id(token: Any) -> bool:
    """Whether a value can be a token id."""
    return isinstance(token, int) and not isinstance(token, bool) and 0 <= token < 2**63


def _temperature(body: Body) -> float:
    value = body.get("temperature")
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise ApiError(400, "temperature must be a number from 0 to 2", "temperature")
    return value


def _stop(body: Body) -> tuple[str, ...]:
    value = body.get("stop")
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise ApiError(400, "stop must be text or a list of texts", "stop")
    return tuple(stop for stop in stops if stop)
