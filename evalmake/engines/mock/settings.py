"""The settings of a mock server, and their reader."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

_FAULT_RATES = ("error_rate", "too_many_rate", "hang_rate", "malformed_rate", "reset_rate")


class SettingsError(ValueError):
    """A setting is unknown or makes no sense; the text is one line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One server's behaviour. Times in seconds; the `*_rate`s are shares of requests, 0 to 1."""

    skill: float = 1.0
    seed: int = 0
    name: str = "mock"
    latency: tuple[float, float] = (0.0, 0.0)
    error_rate: float = 0.0
    too_many_rate: float = 0.0
    hang_rate: float = 0.0
    malformed_rate: float = 0.0
    reset_rate: float = 0.0
    retry_after: float = 1.0
    rate: float | None = None
    """Requests per second; those beyond it are answered 429."""
    status: int | None = None
    """The status of every answer under /v1."""
    html: bool = False
    """Answer every request under /v1 with a page of HTML."""


def read_settings(text: str) -> Settings:
    """Read one JSON object; raises SettingsError that names the wrong setting."""
    try:
        declared = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"the settings are not JSON: {error}") from None
    if not isinstance(declared, dict):
        raise SettingsError("the settings must be one JSON object")
    known = {field.name for field in fields(Settings)}
    for name in declared:
        if name not in known:
            raise SettingsError(f"unknown setting {name!r}; known: {', '.join(sorted(known))}")
    settings = Settings(**{name: _read_value(name, value) for name, value in declared.items()})
    if sum(getattr(settings, name) for name in _FAULT_RATES) > 1 + 1e-9:
        raise SettingsError(f"{', '.join(_FAULT_RATES)} add up to more than 1")
    return settings


def _read_value(name: str, value: Any) -> Any:
    expected, read = _READERS.get(name, _SHARE_READER)
    try:
        return read(value)
    except (TypeError, ValueError):
        raise SettingsError(f"setting {name!r} must be {expected}, not {json.dumps(value)}") from None


def _check_number(value: Any, low: float, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError
    return value


def _check_integer(value: Any, low: float, high: float) -> int:
    if not isinstance(value, int):
        raise TypeError
    return int(_check_number(value, low, high))


def _check_name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if not value:
        raise ValueError
    return value


def _check_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_latency(value: Any) -> tuple[float, float]:
    low, high = value if isinstance(value, list) else (value, value)
    return _check_number(low, 0), _check_number(high, low)


def _check_rate(value: Any) -> float:
    return _check_number(value, 1e-6)


_Reader = tuple[str, Callable[[Any], Any]]
_SHARE_READER: _Reader = ("a number from 0 to 1", lambda value: _check_number(value, 0, 1))
_READERS: Mapping[str, _Reader] = {
    "seed": ("an integer", lambda value: _check_integer(value, -math.inf, math.inf)),
    "name": ("text", _check_name),
    "latency": ("seconds, or [least, most] seconds", _read_latency),
    "retry_after": ("seconds", lambda value: _check_number(value, 0)),
    "rate": ("requests per second, above 0", _check_rate),
    "status": ("an HTTP status from 400 to 599", lambda value: _check_integer(value, 400, 599)),
    "html": ("true or false", _check_flag),
}
