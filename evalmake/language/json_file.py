"""Reads JSON files that people and other programs may have changed: any content gives a value or a ValueError."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any


def read_json(path: Path, most: int) -> Any:
    """The value in a file of at most `most` bytes; OSError if it cannot be read, ValueError if it is not JSON."""
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most >> 20} MB")
    return parse_json(data)


def parse_json(data: bytes, unique: bool = False) -> Any:
    """The value of UTF-8 text, with or without a byte order mark; ValueError says why it is not JSON.

    With `unique`, a name that stands twice in a map is an error: people and programs may each read another value.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=to_unique_map if unique else None)
    except RecursionError:
        raise ValueError("its brackets are nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except ValueError as error:
        raise ValueError(str(error)) from None


def to_unique_map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The map of the pairs of a JSON object; ValueError for a name that stands twice in it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"`{twice}` stands twice in one map")
    return found
