"""Source texts and spans in them. Spans are offsets; only messages need lines and columns, which are computed then."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

BYTE_ORDER_MARK = "\ufeff"
COMMAND_LINE = "command line"  # the name of the source that holds the typed words


class Source:
    """A named text, compared by identity.

    Its lines end with LF, and it has no byte order mark, so that a file means the same on every checkout:
    git and editors write others (`core.autocrlf`).
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = normalize_text(text)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    @cached_property
    def folder(self) -> str:
        """The absolute folder of the file, to which paths in it are relative."""
        return os.path.dirname(os.path.abspath(self.name))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of `offset`, both counted from 1, the column in characters."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end]

    def span(self, start: int, end: int | None = None) -> Span:
        """The span from `start` to `end`, or of one character without `end`."""
        return Span(self, start, start + 1 if end is None else end)

    def __repr__(self) -> str:
        return f"Source({self.name!r})"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a source, from offset `start` to `end`."""

    source: Source
    start: int
    end: int

    @property
    def location(self) -> str:
        """`FILE:LINE`, as messages print it."""
        return f"{self.source.name}:{self.source.position(self.start)[0]}"

    @property
    def text(self) -> str:
        """Its text."""
        return self.source.text[self.start : self.end]


def normalize_text(text: str) -> str:
    """`text` without a byte order mark, its lines ended by LF."""
    return text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n").replace("\r", "\n")
