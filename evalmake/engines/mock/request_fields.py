"""Reading of a request's fields, and errors in OpenAI's form for what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalmake.engines.mock.tokens import decode_token

Body = dict[str, Any]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
_TYPES |= {405: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An error to answer with: its HTTP status, its message, and the field that it is about."""

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
    """The fields that chat and text completions share."""

    count: int
    seed: int | None
    temperature: float
    stop: tuple[str, ...]
    max_tokens: int | None
    stream: bool
    stream_usage: bool

    @classmethod
    def read(cls, body: Body, max_tokens: int | None) -> Sampling:
        """Read the shared fields; raises ApiError 400 that names the wrong one."""
        options = body.get("stream_options") or {}
        if not isinstance(options, dict):
            raise ApiError(400, "stream_options must be an object", "stream_options")
        return cls(
            count=read_integer(body, "n", 1, 1, 128) or 1,
            seed=read_integer(body, "seed", None, -(2**63), 2**64),
            temperature=_read_temperature(body),
            stop=_read_stop(body),
            max_tokens=max_tokens,
            stream=bool(body.get("stream")),
            stream_usage=bool(options.get("include_usage")),
        )

    def choice_sample(self, sample: str, index: int) -> str:
        """The sample of one of several choices; greedy ones are all the same."""
        return f"{sample} choice {index}" if index and self.temperature else sample


def read_integer(body: Body, field: str, default: int | None, low: int, high: int) -> int | None:
    """An integer from low to high; `default` if it is absent or null."""
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ApiError(400, f"{field} must be an integer from {low} to {high}", field)
    return value


def decode_ids(ids: Any) -> list[str]:
    """The text of each token id; raises ApiError 400 for what is no list of ids."""
    if not isinstance(ids, list) or not all(is_token_id(token) for token in ids):
        raise ApiError(400, "token ids must be integers from 0 to 2^63 - 1")
    return [decode_token(token) for token in ids]


def is_token_id(token: Any) -> bool:
    """Whether a value can be a token id."""
    return isinstance(token, int) and not isinstance(token, bool) and 0 <= token < 2**63


def _read_temperature(body: Body) -> float:
    value = body.get("temperature")
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise ApiError(400, "temperature must be a number from 0 to 2", "temperature")
    return value


def _read_stop(body: Body) -> tuple[str, ...]:
    value = body.get("stop")
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise ApiError(400, "stop must be text or a list of texts", "stop")
    return tuple(stop for stop in stops if stop)
