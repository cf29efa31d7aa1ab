"""JSON with one spelling: the same value always gives the same bytes, so that bytes can be signed and compared."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from evalmake.language.json_file import to_unique_map


def to_canonical_json(value: object) -> bytes:
    """Return a value as ASCII JSON with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest_value(value: object) -> str:
    """Return the sha256 of a value's canonical JSON as hex."""
    return sha256(to_canonical_json(value)).hexdigest()


def read_json_strictly(data: bytes) -> Any:
    """Return the value of a JSON text; ValueError where a name stands twice in a map, since readers then differ."""
    try:
        return json.loads(data, object_pairs_hook=to_unique_map)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
