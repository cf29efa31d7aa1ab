"""Helpers for texts: long strings, quoted keys."""

from __future__ import annotations

import re


def unquote(text: str) -> str:
    if text.startswith(('"""', "'''")):
        return text[3:-3]
    return text[1:-1] if text[:1] in "\"'" else text


def dedent(text: str) -> str:
    """A long text without its common indentation, first line break and last blank line."""
    from textwrap import dedent as textwrap_dedent

    body = text.removeprefix("\n")
    return re.sub(r"\n[ \t]*$", "\n", textwrap_dedent(body)) if body != text else text
