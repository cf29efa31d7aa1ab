"""Helpers for texts: long strings, quoted keys."""

from __future__ import annotations

import re

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


def unquote(text: str) -> str:
    if text.startswith(('"""', "'''")):
        return text[3:-3]
    return text[1:-1] if text[:1] in "\"'" else text


def dedent(text: str) -> str:
    """A long text without its common indentation, first line break and last blank line."""
    from textwrap import dedent as textwrap_dedent

    body = text.removeprefix("\n")
    return re.sub(r"\n[ \t]*$", "\n", textwrap_dedent(body)) if body != text else text


def unescape(text: str) -> str:
    """A text with its escapes resolved; ValueError with a message and help for a wrong one."""
    if "\\" not in text:
        return text
    unescaped = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _resolve_escape, text, flags=re.S)
    try:
        return unescaped.encode("utf-16", "surrogatepass").decode("utf-16")  # two halves make one character
    except UnicodeDecodeError:
        message = "`\\ud800` to `\\udfff` are halves of characters, and one stands alone"
        raise ValueError(message, "write the character itself, or both of its halves") from None


def _resolve_escape(match: re.Match[str]) -> str:
    if len(match[1]) == 5:
        return chr(int(match[1][1:], 16))
    if match[1] not in _ESCAPES:
        help_ = r"the escapes are \n \t \r \" \\ \$ \uXXXX; a 'raw text' has none"
        raise ValueError(f"there is no escape `\\{match[1]}`", help_)
    return _ESCAPES[match[1]]


def with_article(noun: str) -> str:
    """`a model`, `an eval`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """A sort key under which `e/9` comes before `e/10`."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
