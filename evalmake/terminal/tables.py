"""Tables as aligned text, and lines wrapped at spaces."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

_INDENT = 6  # of a cell that stands below the row's head


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row; all rows have the same number of cells."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def wrap_text(text: str, columns: int | None) -> str:
    """A line wrapped at spaces to `columns`, if given; words and names stay whole."""
    return "\n".join(_wrap(text, columns, "  ")) if columns else text


def wrap_row(head: str, text: str, columns: int | None) -> str:
    """A row whose `text` is wrapped in a column of its own beside `head`, or below a head that is too wide."""
    line = f"{head}{text}".rstrip()
    if columns is None or len(line) <= columns:
        return line
    if len(head) <= columns // 2:
        indent = " " * len(head)
        return head + "\n".join(_wrap(text, columns, indent, indent))[len(indent) :]
    indent = " " * _INDENT
    return "\n".join([head.rstrip(), *_wrap(text, columns, indent, indent)])


def _wrap(text: str, columns: int, indent: str, first: str = "") -> list[str]:
    return wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
