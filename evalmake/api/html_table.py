"""A table as a notebook shows it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def table(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """Rows under a head, and below them a line for each note."""
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    body = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return f"<div><table>{''.join(lines)}</table>{body}</div>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
