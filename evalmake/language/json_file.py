"""Reads JSON files that people and other programs may have changed: any content gives a value or a ValueError."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path, most: int) -> Any:
    """The value in a file of at most `most` bytes; OSError if it cannot be read, ValueError if it is not JSON."""
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most >> 20} MB")
    return parse_json(data)


def parse_json(data: bytes) -> Any:
    """The value of UTF-8 text, with or without a byte order mark; ValueError says why it is not JSON."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("its brackets are nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except ValueError as error:
        raise ValueError(str(error)) from None
