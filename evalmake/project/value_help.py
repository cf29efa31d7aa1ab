"""Help for values of another type than a key takes: how the same value is written as that type."""

from __future__ import annotations

import os
import re
from pathlib import Path

from evalmake.language.file_search import is_pattern
from evalmake.language.source import Span
from evalmake.language.values import Files, Symbol, format_value

_SHOWN = 3
"""Files of a `glob()` that help names, at most."""
_FILLED = ("prompt", "target", "choices", "messages", "rubric", "tags", "weight", "limit_by", "checks")
"""Keys whose texts are filled with fields of each record."""


def suggest_value(key: str, wanted: str, value: object, at: Span) -> list[str]:
    """Help that writes the same value as the expected type, where that is possible."""
    text = value if isinstance(value, str) else ""
    if wanted == "a text" and key in _FILLED and isinstance(value, Symbol | int | float):
        field = value.text if isinstance(value, Symbol) else "FIELD"
        return [f'a field of the records stands in braces: `{key} = "{{{field}}}"`']
    if wanted == "a text" and isinstance(value, Symbol):
        return [f"write `{format_value(value.text)}`"]
    if key in ("image", "audio") and isinstance(value, Files):
        return [f'each record names its own in a field: `{key} = "{{FIELD}}"`, relative to the data file']
    if wanted == "a text" and isinstance(value, Files):
        return [f"write `text({format_value(_write_path(value.files[0].path, at))})`, which gives the text of a file"]
    if isinstance(value, Files) and at.text.startswith("file(") and "a text" in wanted:
        return [f"write the value itself; `text{at.text.removeprefix('file')}` gives the text of a file"]
    if wanted == "a whole number" and isinstance(value, tuple):
        return ["it takes one of them; several are an axis of the eval: `in` in place of `=`"]
    if wanted == "a text" and isinstance(value, tuple):
        alone = len(value) == 1 and isinstance(value[0], str)
        return [
            f"write `{format_value(value[0])}`" if alone else 'write one text; between """ and """ it may have lines'
        ]
    if wanted == "a list" and isinstance(value, str | Symbol):
        return [f"write `[{format_value(value)}]`"]
    if wanted.startswith("`file"):
        return _suggest_files(value, at)
    if wanted.startswith("`secret"):
        return ['keep it out of the file: `secret("NAME")` reads it from the environment']
    plain = {
        "a whole number": r"-?\d+",
        "a number": r"-?\d+(\.\d+)?",
        "a duration": r"(\d+(\.\d+)?(ms|s|m|h|d))+",
        "a size": r"\d+(\.\d+)?[KMGT]i?B",
        "`true` or `false`": "true|false",
        "a digest": "(sha256|xxh128):[0-9a-fA-F]+",
    }
    if wanted in plain and re.fullmatch(rf"{plain[wanted]}|[A-Z][A-Z0-9_]*", text):
        return [f"write it without quotes: `{text}`"]
    return []


def _suggest_files(value: object, at: Span) -> list[str]:
    """Help that names the files of a list, of a text or of a word by `file()` or `glob()`."""
    if value == ():
        return ['name at least one, as `file("PATH")`']
    if not isinstance(value, tuple):
        call = f"file{at.text.removeprefix('text')}" if at.text.startswith("text(") else _write_call(value, at)
        return [f"write `{call}`"] if call else []
    calls = [_write_call(one, at) for one in value]
    return [f"write `[{', '.join(calls)}]`"] if calls and all(calls) else ["write `file(...)` for each of them"]


def _write_call(value: object, at: Span) -> str:
    """The call that names the files which a text or a word seems to mean; else empty."""
    if isinstance(value, Files):
        return ", ".join(f"file({format_value(_write_path(file.path, at))})" for file in value.files[:_SHOWN])
    name = _read_file_name(value)
    return f"{'glob' if is_pattern(name) else 'file'}({format_value(name)})" if name else ""


def _write_path(path: Path, at: Span) -> str:
    """A path as it stands in the file of `at`."""
    folder = at.source.folder
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path)


def _read_file_name(value: object) -> str:
    """The path that a text or a word seems to be; else empty."""
    name = value.text if isinstance(value, Symbol) else value if isinstance(value, str) else ""
    return name if name.isprintable() else ""
