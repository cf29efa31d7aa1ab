"""Text of others within Markdown, and tables of it."""

from __future__ import annotations

import re
from collections.abc import Sequence


def escape(text: str) -> str:
    """Text that Markdown takes literally, on one line; underscores inside words already are."""
    return re.sub(r"[\\`*|<]|\](?=\()", r"\\\g<0>", " ".join(text.split()))


def render_table(lines: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its head, padded so that it can be read unrendered."""
    cells = [[escape(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [" | ".join(map(str.ljust, line, widths)) for line in cells]
    rule = " | ".join("-" * width for width in widths)
    return "\n".join(f"| {row} |" for row in (rows[0], rule, *rows[1:]))
