"""Diagnostics as JSON objects, and those objects as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from unicodedata import category, east_asian_width

from evalmake.language.diagnostic import Diagnostic, Label
from evalmake.language.source import COMMAND_LINE

_TAB = 4
_WIDEST = 160  # columns of a source line that is shown whole
_AROUND = 50  # columns before the label in one that is not
_COLOURS = {"error": "1;31", "warning": "1;33", "gate": "1;35", "help": "1;32", "note": "1;36"}
_QUIET = "34"


def render(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """All of them as text, a blank line between two, and a last line that counts several."""
    blocks = [_Text(to_json(diagnostic), colour).block() for diagnostic in diagnostics]
    if len(diagnostics) > 1:
        counts = Counter(str(diagnostic.severity) for diagnostic in diagnostics)
        said = ", ".join(f"{n} {word}{'s' * (n > 1)}" for word, n in counts.items())
        blocks.append(f"{said}; for more about one: evalmake explain {diagnostics[0].code}")
    return "\n\n".join(blocks)


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The object that `--json` prints: offsets and places of every label, with its source line."""
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "about": diagnostic.about,
        "labels": [_label(label) for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": list(diagnostic.help),
    }


def short(diagnostic: Diagnostic) -> str:
    """`FILE:LINE:COLUMN: error: MESSAGE [CODE]`, as editors read it."""
    shown = to_json(diagnostic)
    place = next((_place(label) + ": " for label in shown["labels"] if label["primary"]), "")
    return f"{place}{shown['severity']}: {clean(shown['message'])} [{shown['code']}]"


def _label(label: Label) -> dict[str, Any]:
    span = label.span
    line, column = span.source.position(span.start)
    end = column + span.end - span.start + 2 * _WIDEST
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


def clean(text: str) -> str:
    """Without characters that would steer the terminal or be invisible."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _width(char: str, column: int) -> int:
    """The columns that `char` takes when it stands at `column` (from 0)."""
    if char == "\t":
        return _TAB - column % _TAB
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def _columns(text: str) -> int:
    column = 0
    for char in text:
        column += _width(char, column)
    return column


def _expanded(text: str) -> str:
    shown, column = "", 0
    for char in text:
        width = _width(char, column)
        shown += " " * width if char == "\t" else char
        column += width
    return shown


class _Text:
    """One diagnostic's lines, made from its JSON object alone."""

    def __init__(self, shown: dict[str, Any], colour: bool) -> None:
        self.shown = shown
        self.colour = colour
        self.labels: list[dict[str, Any]] = shown["labels"]
        self.gutter = max((len(_number(label)) for label in self.labels), default=1)

    def block(self) -> str:
        """The whole text of it."""
        shown = self.shown
        severity = self._paint(f"{shown['severity']}:", _COLOURS[shown["severity"]])
        lines = [f"{severity} {clean(shown['message'])} [{shown['code']}]"]
        lines += self._source() if self.labels else []
        for word, texts in (("note", shown["notes"]), ("help", shown["help"])):
            for text in texts:
                mark = self._paint(f"{word}:", _COLOURS[word])
                lines.append(f"{mark} " + clean(text).replace("\n", "\n      | "))
        return "\n".join(lines)

    def _source(self) -> list[str]:
        """The labelled lines of each file, the primary label's file first."""
        primary = next((label for label in self.labels if label["primary"]), self.labels[0])
        files = dict.fromkeys([primary["file"], *(label["file"] for label in self.labels)])
        lines = []
        for file in files:
            labels = [label for label in self.labels if label["file"] == file]
            main = file == primary["file"]
            about = f", in {self.shown['about']}" if main and self.shown["about"] else ""
            arrow = self._paint(" " * self.gutter + ("-->" if main else ":::"), _QUIET)
            lines.append(f"{arrow} {_place(primary if main else labels[0])}{clean(about)}")
            lines.append(self._row(""))
            lines += self._file(labels)
        return [*lines, self._row("")]

    def _file(self, labels: list[dict[str, Any]]) -> list[str]:
        lines: list[str] = []
        last = 0
        for number, group in groupby(sorted(labels, key=_reading_order), lambda x: int(x["line"])):
            lines += ["..."] if last and number > last + 1 else []
            lines += self._line(list(group))
            last = number
        return lines

    def _line(self, labels: list[dict[str, Any]]) -> list[str]:
        """A source line and a row for each label; a very long line is shown around each."""
        lines = []
        for i, label in enumerate(labels):
            text, at, length = _cropped(label)
            if i == 0 or len(label["source"]) > _WIDEST:
                lines.append(self._row(_number(label), _expanded(text)))
            start = _columns(text[:at])
            width = max(_columns(text[: at + length]) - start, 1)
            marks = ("^" if label["primary"] else "-") * width
            said = clean(f"{marks} {label['text']}".rstrip())
            tint = _COLOURS[self.shown["severity"]] if label["primary"] else _QUIET
            lines.append(self._row("", " " * start + self._paint(said, tint)))
        return lines

    def _row(self, number: str, text: str = "") -> str:
        gutter = self._paint(f"{number:>{self.gutter}} |", _QUIET)
        return f"{gutter} {text}" if text else gutter

    def _paint(self, text: str, tint: str) -> str:
        return f"\033[{tint}m{text}\033[0m" if self.colour else text


def _number(label: dict[str, Any]) -> str:
    return "$" if label["file"] == COMMAND_LINE else str(label["line"])


def _reading_order(label: dict[str, Any]) -> tuple[int, bool, int]:
    return label["line"], not label["primary"], label["column"]


def _cropped(label: dict[str, Any]) -> tuple[str, int, int]:
    """The part of the source line to show, where the label begins in it, and its length there."""
    text = clean(label["source"])
    at = label["column"] - 1
    length = min(label["end"] - label["start"], len(text) - at)
    if len(text) <= _WIDEST:
        return text, at, length
    start = max(0, at - _AROUND)
    end = start + _WIDEST - 2 * 3
    before, after = "..." if start else "", "..." if end < len(text) else ""
    return before + text[start:end] + after, at - start + len(before), min(length, end - at)
