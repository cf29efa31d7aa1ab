"""Reads and writes JSON with orjson where it can, else with the standard library."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast

MAX_DEPTH = 100
"""How deep a record may be nested; parsers give up at depths that depend on their version."""
_MAX_DIGITS = 1000
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # a text in quotes is one token

_encode_compact = json.JSONEncoder(separators=(",", ":")).encode  # to make one takes as long as to use it
_encode_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode

_fast_dumps: Callable[[object], bytes] | None = None
_fast_loads: Callable[[bytes | str], Any] | None = None
try:
    import orjson

    _fast_dumps, _fast_loads = orjson.dumps, orjson.loads
except ImportError:  # pragma: no cover - orjson is optional
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    """Stands for a value that JSON allows, or some parsers do, and a record cannot have."""

    message: str


def dumps(value: object) -> bytes:
    """One line of compact JSON without the line feed.

    orjson refuses integers beyond 64 bits and lone surrogates; the standard library writes both.
    """
    if _fast_dumps is not None:
        try:
            return _fast_dumps(value)
        except TypeError:
            pass
    return _encode_compact(value).encode()


def loads(text: bytes | str) -> Any:
    """Parse JSON; ValueError if it is not JSON. Accepts lone surrogates, which orjson refuses."""
    if _fast_loads is not None:
        try:
            return _fast_loads(text)
        except ValueError:
            pass
    return json.loads(text)


def strict_loads(text: str) -> Any:
    """Parse JSON that means the same to every reader; ValueError for anything else.

    Refused are NaN, Infinity and numbers too large for a float, keys that occur twice, and values nested so deep
    that not every library could read them. Integers are exact.
    """
    value, faults = loads_with_faults(text)
    if faults:
        raise ValueError(faults[0].message)
    return value


def loads_with_faults(text: str) -> tuple[Any, list[Fault]]:
    """Parse JSON; a value that `strict_loads` refuses is a `Fault` in its place, and in the list."""
    if too_deep := find_deep_nesting(text):
        raise json.JSONDecodeError(f"nested more than {MAX_DEPTH} levels deep", text, too_deep)
    faults: list[Fault] = []

    def fault(message: str) -> Fault:
        faults.append(Fault(message))
        return faults[-1]

    def parse_float(digits: str) -> object:
        value = float(digits)
        return value if isfinite(value) else fault(f"{_shorten(digits)} is too large for a number")

    def parse_int(digits: str) -> object:
        return int(digits) if len(digits) <= _MAX_DIGITS else fault(f"{_shorten(digits)} has too many digits")

    def build_object(pairs: list[tuple[str, object]]) -> object:
        built = dict(pairs)
        if len(built) == len(pairs):
            return built
        twice = next(key for number, (key, _) in enumerate(pairs) if key in [k for k, _ in pairs[:number]])
        return fault(f"the key '{twice}' occurs twice")

    return json.loads(
        text,
        parse_float=parse_float,
        parse_int=parse_int,
        parse_constant=lambda name: fault(f"{name} is not a JSON number"),
        object_pairs_hook=build_object,
    ), faults


def find_fault(value: object) -> Fault | None:
    """The first fault in a parsed value."""
    if isinstance(value, Fault):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((fault for one in inner if (fault := find_fault(one))), None)


def find_deep_nesting(text: str) -> int | None:
    """The offset in JSON where it is nested too deep."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return None
    depth = 0
    for token in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            return token.start()
    return None


def _shorten(digits: str) -> str:
    return digits if len(digits) <= 20 else f"{digits[:20]}..."


def dump_sorted(value: object) -> str:
    """A value's canonical JSON: keys sorted, no spaces, UTF-8 unescaped."""
    return _encode_sorted(value)


def fingerprint(record: object) -> str:
    """The first 16 hex digits of the SHA-256 of a value's canonical JSON.

    It is the same in all runs and on all
    machines, so it pairs the samples of two runs.
    """
    return hashlib.sha256(dump_sorted(record).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def write_atomic(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace `path` atomically: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.writelines(chunks)
    temporary.replace(path)


def as_object(value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
