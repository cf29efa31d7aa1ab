"""Marks in an outline: characters for private use that stand for an option, by its letter or by its text."""

from __future__ import annotations

BY_LETTER, BY_TEXT = 0xE000, 0xE100
LETTER_MARK, TEXT_MARK, MARK = "[\ue000-\ue0ff]", "[\ue100-\ue1ff]", "[\ue000-\ue1ff]"
NONE = 0xFF
"""The index that stands for no option: "none of the above"."""
GROUP = rf"m(?:(?!-?,?\({LETTER_MARK}[^-]|-[fO]*m[Iw])-{{0,2}}[,(]?[&|p+]{{0,3}},?[fOF(]{{0,3}}m|,f?m)*"
"""Options named together, where "m" is any mark: "A", "A or B", "A, B and (C)"; not "A (C is wrong)", "A - B has"."""


def mark_of(index: int) -> str:
    """A mark for what is found by its text."""
    return chr(BY_TEXT + index)


def option_of(mark: str) -> int:
    """The option's index that a mark stands for."""
    return ord(mark) & 0xFF
