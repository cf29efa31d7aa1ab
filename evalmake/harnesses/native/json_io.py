"""Reads and writes JSON with orjson where it can, else with the standard library."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

_fast_dumps: Callable[[object], bytes] | None = None
_fast_loads: Callable[[bytes | str], Any] | None = None
try:
    import orjson

    _fast_dumps, _fast_loads = orjson.dumps, orjson.loads
except ImportError:  # pragma: no cover - orjson is optional
    pass


def dumps(value: object) -> bytes:
    """One line of compact JSON without the line feed.

    orjson refuses integers beyond 64 bits and lone surrogates; the standard library writes both.
    """
    if _fast_dumps is not None:
        try:
            return _fast_dumps(value)
        except TypeError:
            pass
    return json.dumps(value, separators=(",", ":")).encode()


def loads(text: bytes | str) -> Any:
    """Parse JSON; ValueError if it is not JSON. Accepts lone surrogates, which orjson refuses."""
    if _fast_loads is not None:
        try:
            return _fast_loads(text)
        except ValueError:
            pass
    return json.loads(text)


def strict_loads(text: str) -> Any:
    """Parse JSON by RFC 8259: NaN and Infinity are a ValueError; integers are exact."""
    return json.loads(text, parse_constant=_refuse_constant)


def fingerprint(record: object) -> str:
    """The first 16 hex digits of the SHA-256 of a value's canonical JSON.

    Canonical: keys sorted, no spaces, UTF-8 unescaped. It is the same in all runs and on all
    machines, so it pairs the samples of two runs.
    """
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_atomic(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace `path` atomically: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.writelines(chunks)
    temporary.replace(path)


def as_object(value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
