"""Reads a metric from a file that another program wrote: a JSON path, a CSV column, a JUnit report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.harnesses.scores_file import explain_missing_file, parse_json, read_file
from evalmake.harnesses.table_delimiter import DELIMITERS, describe_other_delimiter
from evalmake.scoring.intervals import mean_se

_BOOLEANS = {"true": 1.0, "false": 0.0}
_SCORES = "scores.json"
_MOST_BYTES = 256 << 20  # of a file that holds a score among much else
Values = Sequence[float | None]  # None: not scored


class Location(NamedTuple):
    """A file in the outputs, and a path or column in it; empty for a JUnit report."""

    file: str
    path: str

    @property
    def kind(self) -> str:
        """The file's suffix, in lower case."""
        return Path(self.file).suffix.lower()


def parse_location(text: str) -> Location:
    """Parse `FILE.xml`, `FILE.csv:COLUMN`, `FILE:path`, or a path alone, which is one in scores.json."""
    if Path(text).suffix.lower() in (".xml", *DELIMITERS):
        return Location(text, "")
    file, _, path = text.rpartition(":")
    return Location(file or _SCORES, path)


def find_location_mistake(text: str) -> str:
    """What is wrong with a metric's location, as far as it can be known before the run; else ""."""
    location = parse_location(text)
    if location.kind in DELIMITERS and not location.path:
        return f"`{location.file}` has columns: name one, such as `{location.file}:correct`"
    if location.kind == ".xml" and location.path:
        return f"a JUnit report is counted whole: `{location.file}`"
    return "" if location.path or location.kind == ".xml" else f"`{text}` names nothing in the file"


def read_measurement(outputs: Path, text: str) -> Mapping[str, Any] | float | str:
    """The number at a location, or a mean with `stderr`, `scored` and `unscored`; a string says why there is none."""
    location = parse_location(text)
    if not (outputs / location.file).exists():
        return explain_missing_file(outputs, location.file)
    if location.kind not in (".xml", *DELIMITERS):
        return _read_json_path(outputs / location.file, location.path)
    values = (
        _read_junit(outputs / location.file)
        if location.kind == ".xml"
        else _read_column(outputs / location.file, location.path)
    )
    if not values:
        return f"{location.file} has no {'tests' if location.kind == '.xml' else 'rows'}"
    return values if isinstance(values, str) else _average(values)


def _average(values: Values) -> Mapping[str, Any]:
    scored = [value for value in values if value is not None]
    estimate = mean_se(scored)
    return {
        "value": estimate.mean,
        "stderr": estimate.stderr,
        "scored": len(scored),
        "unscored": len(values) - len(scored),
    }


def _read_json_path(file: Path, path: str) -> Mapping[str, Any] | float | str:
    """The number at a.b[0].c, or a map with its `value`."""
    try:
        found: Any = parse_json(read_file(file, _MOST_BYTES))
    except (OSError, ValueError) as error:
        return f"{file.name} is not JSON: {error}"
    for step in path.replace("[", ".").replace("]", "").split("."):
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return f"{file.name} has nothing at `{path}`"
    if isinstance(found, dict) and "value" in found:
        return found
    if isinstance(found, bool) or not isinstance(found, int | float):
        return f"{file.name} has no number at `{path}`"
    return found


def _read_junit(file: Path) -> Values | str:
    """1 for each test that passed, 0 for one that failed, None for an error; skipped tests are left out."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(read_file(file, _MOST_BYTES))
    except (OSError, ElementTree.ParseError):
        return f"{file.name} is not XML"
    except ValueError as error:
        return f"{file.name} is not XML: {error}"
    values: list[float | None] = []
    for case in root.iter():
        if case.tag.rpartition("}")[2] != "testcase":
            continue
        ended = {child.tag.rpartition("}")[2] for child in case}
        if "skipped" not in ended:
            values.append(0.0 if "failure" in ended else None if "error" in ended else 1.0)
    return values


def _read_column(file: Path, name: str) -> Values | str:
    """A column's numbers; true and false are 1 and 0; an empty cell or NaN is unscored."""
    import csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter=DELIMITERS[file.suffix.lower()])
            columns = list(table.fieldnames or ())
            if columns.count(name) != 1:
                lack = "two columns" if name in columns else "no column"
                known = f"it has {', '.join(columns) or 'none'}"
                other = describe_other_delimiter(columns, file.suffix.lower())
                return f"{file.name} has {lack} `{name}`; {other or known}"
            cells = [(row[name] or "").strip() for row in table]
    except (OSError, UnicodeDecodeError, csv.Error):
        return f"{file.name} is not a table of text"
    values: list[float | None] = []
    for number, cell in enumerate(cells, 1):
        try:
            value = _BOOLEANS[cell.lower()] if cell.lower() in _BOOLEANS else float(cell or "nan")
        except ValueError:
            value = math.inf
        if math.isinf(value):
            return f"row {number} of {file.name} has `{cell[:40]}` as `{name}`, not a number"
        values.append(None if math.isnan(value) else value)
    return values
