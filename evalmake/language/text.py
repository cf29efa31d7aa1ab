"""Helpers for texts: long strings, quoted keys, patterns."""

from __future__ import annotations

import re
from pathlib import Path


def split_glob(path: Path) -> tuple[Path, str]:
    """The folder before the first wildcard, and the pattern below it."""
    parts = path.parts
    wild = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts) - 1)
    return Path(*parts[:wild]), str(Path(*parts[wild:]))


def unquote(text: str) -> str:
    if text.startswith(('"""', "'''")):
        return text[3:-3]
    return text[1:-1] if text[:1] in "\"'" else text


def dedent(text: str) -> str:
    """A long text without its common indentation, first line break and last blank line."""
    from textwrap import dedent as textwrap_dedent

    body = text.removeprefix("\r\n").removeprefix("\n")
    return re.sub(r"\n[ \t]*$", "\n", textwrap_dedent(body)) if body != text else text
