"""Diagnostics as JSON objects, and those objects as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from unicodedata import category, east_asian_width

from evalmake.language.diagnostic import Diagnostic, Label
from evalmake.language.source import COMMAND_LINE
from evalmake.terminal.command_hints import complete_commands
from evalmake.terminal.safe_text import clean

_TAB = 4
_LONGEST_LINE = 160  # columns of a source line that is shown whole
_LONGEST_TEXT = 2000  # characters of a message, a note or help; some repeat what the user wrote
_CONTEXT = 50  # columns shown before the label in a longer line
_COLOURS = {"error": "1;31", "warning": "1;33", "gate": "1;35", "help": "1;32", "note": "1;36"}
_DIM = "34"


def render(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """All diagnostics as text, a blank line between two; a last line counts them if there are several."""
    blocks = [_Block(to_json(diagnostic), colour).render() for diagnostic in diagnostics]
    if len(diagnostics) > 1:
        counts = Counter(str(diagnostic.severity) for diagnostic in diagnostics)
        totals = ", ".join(f"{n} {word}{'s' * (n > 1)}" for word, n in counts.items())
        blocks.append(f"{totals}; for more about one: evalmake explain {diagnostics[0].code}")
    return "\n\n".join(blocks)


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The object that `--json` prints: for each label its offsets, place and source line."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": _shorten(diagnostic.message),
        "about": diagnostic.about,
        "labels": [_label_to_json(label) for label in diagnostic.labels],
        "notes": [complete_commands(_shorten(note)) for note in diagnostic.notes],
        "help": [complete_commands(_shorten(help)) for help in diagnostic.help],
    }


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."


def render_short(diagnostic: Diagnostic) -> str:
    """`FILE:LINE:COLUMN: error: MESSAGE [CODE]`, as editors read it."""
    data = to_json(diagnostic)
    place = next((_place(label) + ": " for label in data["labels"] if label["primary"]), "")
    return f"{place}{data['severity']}: {clean(data['message'])} [{data['code']}]"


def _label_to_json(label: Label) -> dict[str, Any]:
    span = label.span
    line, column = span.source.position(span.start)
    end = column + span.end - span.start + 2 * _LONGEST_LINE
    return {
        "file": span.source.name,
        "start": span.start,
        "end": span.end,
        "line": line,
        "column": column,
        "text": label.text,
        "primary": label.primary,
        "source": span.source.line(line)[:end],
    }


def _place(label: dict[str, Any]) -> str:
    name = clean(label["file"])
    return name if name == COMMAND_LINE else f"{name}:{label['line']}:{label['column']}"


def _char_width(char: str, column: int) -> int:
    """The columns that `char` takes when it stands at `column` (from 0)."""
    if char == "\t":
        return _TAB - column % _TAB
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def _display_width(text: str) -> int:
    """The columns that a text takes on a terminal."""
    column = 0
    for char in text:
        column += _char_width(char, column)
    return column


def _expand_tabs(text: str) -> str:
    """The text with spaces for tabs."""
    shown, column = "", 0
    for char in text:
        width = _char_width(char, column)
        shown += " " * width if char == "\t" else char
        column += width
    return shown


class _Block:
    """One diagnostic as text, made from its JSON object alone."""

    def __init__(self, data: dict[str, Any], colour: bool) -> None:
        self.data = data
        self.colour = colour
        self.labels: list[dict[str, Any]] = data["labels"]
        self.gutter = max((len(_number(label)) for label in self.labels), default=1)

    def render(self) -> str:
        """The whole text."""
        data = self.data
        severity = self._paint(f"{data['severity']}:", _COLOURS[data["severity"]])
        lines = [f"{severity} {clean(data['message'])} [{data['code']}]"]
        lines += self._render_source() if self.labels else []
        for word, texts in (("note", data["notes"]), ("help", data["help"])):
            for text in texts:
                mark = self._paint(f"{word}:", _COLOURS[word])
                lines.append(f"{mark} " + clean(text).replace("\n", "\n      | "))
        return "\n".join(lines)

    def _render_source(self) -> list[str]:
        """The labelled lines of each file, the primary label's file first."""
        primary = next((label for label in self.labels if label["primary"]), self.labels[0])
        files = dict.fromkeys([primary["file"], *(label["file"] for label in self.labels)])
        lines = []
        for file in files:
            labels = [label for label in self.labels if label["file"] == file]
            main = file == primary["file"]
            about = f", in {self.data['about']}" if main and self.data["about"] else ""
            arrow = self._paint(" " * self.gutter + ("-->" if main else ":::"), _DIM)
            lines.append(f"{arrow} {_place(primary if main else labels[0])}{clean(about)}")
            lines.append(self._row(""))
            lines += self._render_file(labels)
        return [*lines, self._row("")]

    def _render_file(self, labels: list[dict[str, Any]]) -> list[str]:
        """The labelled lines of one file, `...` for what lies between."""
        lines: list[str] = []
        last = 0
        for number, group in groupby(sorted(labels, key=_reading_order), lambda x: int(x["line"])):
            lines += ["..."] if last and number > last + 1 else []
            lines += self._render_line(list(group))
            last = number
        return lines

    def _render_line(self, labels: list[dict[str, Any]]) -> list[str]:
        """A source line and a row for each label; a very long line is shown around each."""
        lines = []
        for i, label in enumerate(labels):
            text, at, length = _crop_line(label)
            if i == 0 or len(label["source"]) > _LONGEST_LINE:
                lines.append(self._row(_number(label), _expand_tabs(text)))
            start = _display_width(text[:at])
            width = max(_display_width(text[: at + length]) - start, 1)
            marks = ("^" if label["primary"] else "-") * width
            text_below = clean(f"{marks} {label['text']}".rstrip())
            tint = _COLOURS[self.data["severity"]] if label["primary"] else _DIM
            lines.append(self._row("", " " * start + self._paint(text_below, tint)))
        return lines

    def _row(self, number: str, text: str = "") -> str:
        gutter = self._paint(f"{number:>{self.gutter}} |", _DIM)
        return f"{gutter} {text}" if text else gutter

    def _paint(self, text: str, tint: str) -> str:
        return f"\033[{tint}m{text}\033[0m" if self.colour else text


def _number(label: dict[str, Any]) -> str:
    return "$" if label["file"] == COMMAND_LINE else str(label["line"])


def _reading_order(label: dict[str, Any]) -> tuple[int, bool, int]:
    return label["line"], not label["primary"], label["column"]


def _crop_line(label: dict[str, Any]) -> tuple[str, int, int]:
    """The part of the source line to show, where the label begins in it, and its length there."""
    text = clean(label["source"])
    at = label["column"] - 1
    length = min(label["end"] - label["start"], len(text) - at)
    if len(text) <= _LONGEST_LINE:
        return text, at, length
    start = max(0, at - _CONTEXT)
    end = start + _LONGEST_LINE - 2 * 3
    before, after = "..." if start else "", "..." if end < len(text) else ""
    return before + text[start:end] + after, at - start + len(before), min(length, end - at)
