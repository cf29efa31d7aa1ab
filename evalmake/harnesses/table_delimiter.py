"""What separates the columns of a table: its suffix says it, and some files contradict theirs."""

from __future__ import annotations

from collections.abc import Sequence

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "commas", "\t": "tabs", ";": "`;`", "|": "`|`"}


def describe_other_delimiter(lines: Sequence[str], suffix: str) -> str:
    """What is wrong with a table whose first lines are separated by another mark than its suffix says; else ""."""
    expected = DELIMITERS[suffix]
    if not lines or expected in lines[0]:
        return ""
    for mark, name in _NAMES.items():
        if mark in lines[0] and len({line.count(mark) for line in lines}) == 1:
            cure = {",": "end its name in .csv", "\t": "end its name in .tsv"}.get(mark, f"write {_NAMES[expected]}")
            return f"its columns are separated by {name}, and those of a {suffix} file by {_NAMES[expected]}: {cure}"
    return ""
