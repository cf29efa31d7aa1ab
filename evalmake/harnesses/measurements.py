"""Measurements in the files that other programs write: a JSON path, a CSV column, a JUnit report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.scoring.intervals import mean_se

_TABLES = {".csv": ",", ".tsv": "\t"}
_WORDS = {"true": 1.0, "false": 0.0}
_SCORES = "scores.json"
Values = Sequence[float | None]  # None: not scored


class Place(NamedTuple):
    """A file in the outputs, and a path or column in it; a JUnit report has none."""

    file: str
    path: str

    @property
    def kind(self) -> str:
        """The file's suffix, in lower case."""
        return Path(self.file).suffix.lower()


def place(text: str) -> Place:
    """Read `FILE.xml`, `FILE.csv:COLUMN`, `FILE:path`, or a path alone, which is of scores.json."""
    if Path(text).suffix.lower() in (".xml", *_TABLES):
        return Place(text, "")
    file, _, path = text.rpartition(":")
    return Place(file or _SCORES, path)


def mistake(text: str) -> str:
    """What is wrong with a metric's place, before there is any file; else ""."""
    at = place(text)
    if at.kind in _TABLES and not at.path:
        return f"`{at.file}` has columns: name one, as `{at.file}:correct`"
    if at.kind == ".xml" and at.path:
        return f"a JUnit report is counted whole: `{at.file}`"
    return "" if at.path or at.kind == ".xml" else f"`{text}` names nothing in the file"


def measure(outputs: Path, text: str, coverage: float) -> Mapping[str, Any] | float | str:
    """The number at a place, or its mean with `stderr`, `scored` and `unscored`; a text says why not.

    A table's mean needs a score in at least the share `coverage` of its rows, 0 to 1.
    """
    at = place(text)
    if at.kind not in (".xml", *_TABLES):
        return _look_up(outputs / at.file, at.path)
    values = _junit(outputs / at.file) if at.kind == ".xml" else _column(outputs / at.file, at.path)
    return values if isinstance(values, str) else _mean(values, at, coverage)


def _mean(values: Values, at: Place, coverage: float) -> Mapping[str, Any] | str:
    scored = [value for value in values if value is not None]
    if not scored or len(scored) < coverage * len(values) - 1e-9:
        what = "tests" if at.kind == ".xml" else "rows"
        return f"{len(scored)} of {len(values)} {what} of {at.file} were scored, and {coverage * 100:g}% must be"
    estimate = mean_se(scored)
    return {
        "value": estimate.mean,
        "stderr": estimate.stderr,
        "scored": len(scored),
        "unscored": len(values) - len(scored),
    }


def _look_up(file: Path, path: str) -> Mapping[str, Any] | float | str:
    """The number at a.b[0].c, or a map with its `value`."""
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{file.name} is missing or is not JSON"
    for step in path.replace("[", ".").replace("]", "").split("."):
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return f"{file.name} has nothing at `{path}`"
    if isinstance(found, dict) and "value" in found:
        return found
    if isinstance(found, bool) or not isinstance(found, int | float):
        return f"{file.name} has no number at `{path}`"
    return float(found)


def _junit(file: Path) -> Values | str:
    """1 for each test that passed, 0 that failed, None that ended in an error; none for skipped ones."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return f"{file.name} is missing or is not XML"
    values: list[float | None] = []
    for case in root.iter():
        if case.tag.rpartition("}")[2] != "testcase":
            continue
        ended = {child.tag.rpartition("}")[2] for child in case}
        if "skipped" not in ended:
            values.append(0.0 if "failure" in ended else None if "error" in ended else 1.0)
    return values


def _column(file: Path, name: str) -> Values | str:
    """A column's numbers; true and false are 1 and 0, and an empty cell or NaN is not scored."""
    import csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter=_TABLES[file.suffix.lower()])
            if name not in (columns := table.fieldnames or ()):
                return f"{file.name} has no column `{name}`; it has {', '.join(columns) or 'none'}"
            cells = [(row[name] or "").strip() for row in table]
    except (OSError, UnicodeDecodeError, csv.Error):
        return f"{file.name} is missing or is not a table of text"
    values: list[float | None] = []
    for number, cell in enumerate(cells, 1):
        try:
            value = _WORDS[cell.lower()] if cell.lower() in _WORDS else float(cell or "nan")
        except ValueError:
            value = math.inf
        if math.isinf(value):
            return f"row {number} of {file.name} has `{cell[:40]}` as `{name}`, not a number"
        values.append(None if math.isnan(value) else value)
    return values
