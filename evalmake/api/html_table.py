"""Tables and texts as a notebook shows them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table with a head, and below it a line for each note."""
    lines = [_render_row("th", head), *(_render_row("td", row) for row in rows)]
    body = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return f"<div><table>{''.join(lines)}</table>{body}</div>"


def _render_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
