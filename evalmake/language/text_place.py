"""Finds a place within a text of an Evalfile: where a character of its value stands between its quotes."""

from __future__ import annotations

from evalmake.language.source import Span


def find_in_text(span: Span, value: str, start: int, length: int) -> Span:
    """The part of `span`, where `value` is written, that has its characters from `start` on; at most to the line's end.

    All of `span` where that cannot be told: the text is in a file or a variable, or has escapes in that line.
    """
    written = span.text
    if not written.startswith(('"', "'")) or not 0 <= start <= len(value):
        return span
    lines = value[:start].split("\n")
    line, column = value.split("\n")[len(lines) - 1], len(lines[-1])
    text = line.strip()
    column -= len(line) - len(line.lstrip())
    if not text or column < 0:
        return span
    at = -1
    for _ in range(1 + sum(before.strip() == text for before in lines[:-1])):  # lines may be equal
        at = _find_line(written, text, at + 1)
    if at < 0:
        return span
    begin = span.start + at + min(column, len(text) - 1)
    return Span(span.source, begin, min(begin + max(length, 1), span.start + at + len(text)))


def _find_line(written: str, text: str, after: int) -> int:
    """Where a whole line stands in a text as it is written, between quotes and white space; -1 if nowhere."""
    at = written.find(text, after)
    while at >= 0:
        before, behind = written[:at].rpartition("\n")[2], written[at + len(text) :].partition("\n")[0]
        if not before.strip(" \t\"'") and not behind.strip(" \t\r\"'"):
            return at
        at = written.find(text, at + 1)
    return -1
