"""Reads records from JSON Lines, JSON, CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.json_io import find_fault, fingerprint, loads_with_faults, strict_loads
from evalmake.harnesses.table_delimiter import DELIMITERS, describe_other_delimiter

Row = tuple[str, Any]
"""A record's location (":3" is line 3) and the value read there."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its index, its location in a file, its fields and its fingerprint, and the name of the file."""

    index: int
    where: str
    data: dict[str, Any]
    item: str
    file: str = ""


def read_files(folder: Path, names: Sequence[str], paths: Mapping[str, str] | None = None) -> list[Record]:
    """Read all records of the files, in order; TaskError with a line for each bad one.

    `paths` has the path by which the user knows a file, for messages.
    """
    records: list[Record] = []
    mistakes: list[str] = []
    for file in names:
        name = (paths or {}).get(file, file)
        for place, value in _read_rows(folder / file, name):
            if isinstance(value, BadRecord):
                mistakes.append(f"{name}{place}: {value.message}")
            elif not isinstance(value, dict):
                mistakes.append(f"{name}{place}: a record is an object, but this is {_type_name(value)}")
            else:
                records.append(Record(len(records), f"{name}{place}", value, fingerprint(value), file))
    if mistakes:
        raise TaskError(*mistakes)
    if not records:
        raise TaskError(f"no records in {', '.join((paths or {}).get(name, name) for name in names)}")
    return records


@dataclass(frozen=True, slots=True)
class BadRecord:
    """Stands for what is no record."""

    message: str


def _read_rows(path: Path, name: str) -> Iterator[Row]:
    """Read the rows of one file by its suffix."""
    readers: dict[str, Callable[[str], Iterator[Row]]] = {
        ".jsonl": _read_json_lines,
        ".ndjson": _read_json_lines,
        ".json": _read_json,
        ".csv": lambda text: _read_csv(text, ".csv"),
        ".tsv": lambda text: _read_csv(text, ".tsv"),
    }
    if path.suffix == ".parquet":
        return _read_parquet(path, name)
    if path.suffix not in readers:
        known = ", ".join([*readers, ".parquet"])
        raise TaskError(f"{name}: unknown data file type; the types are {known}")
    return readers[path.suffix](_read_text(path, name))


def _read_text(path: Path, name: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{name}: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{name}:{line}: not UTF-8") from None


def _read_json_lines(text: str) -> Iterator[Row]:
    if whole := _describe_whole_json(text):
        yield ":1", BadRecord(whole)
        return
    # Not splitlines(): JSON strings may hold U+2028 and other line ends of Unicode.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f":{number}", parse_record(line)


def _describe_whole_json(text: str) -> str:
    """What is wrong with a file of JSON Lines that is one list, or one object over several lines; else ""."""
    first, _, others = text.strip().partition("\n")
    if not first.startswith("[") and not (first.rstrip() == "{" and others):
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if isinstance(value, dict):
        return "it is one object over several lines: end its name in .json"
    return "it is a JSON list: end its name in .json" if value and all(isinstance(one, dict) for one in value) else ""


def parse_record(line: str) -> object:
    """The value of a text of JSON; a BadRecord where it is none."""
    try:
        return strict_loads(line)
    except json.JSONDecodeError as error:
        return BadRecord(f"not JSON: {error.msg} at column {error.colno}")
    except ValueError as error:
        return BadRecord(f"not JSON: {error}")


def _read_json(text: str) -> Iterator[Row]:
    try:
        value, faults = loads_with_faults(text)
    except json.JSONDecodeError as error:
        hint = "; JSON Lines go in a .jsonl file" if error.msg == "Extra data" else ""
        return iter([(f":{error.lineno}", BadRecord(f"not JSON: {error.msg}{hint}"))])
    if isinstance(value, dict):
        lists = [one for one in value.values() if isinstance(one, list)]
        value = lists[0] if len(lists) == 1 else None
    if not isinstance(value, list):
        message = (
            f"not JSON: {faults[0].message}" if faults else "expected a list of objects, or an object with one list"
        )
        return iter([("", BadRecord(message))])
    return ((f": item {number}", _refuse_faults(one) if faults else one) for number, one in enumerate(value, 1))


def _refuse_faults(value: object) -> object:
    fault = find_fault(value)
    return BadRecord(f"not JSON: {fault.message}") if fault else value


def _read_csv(text: str, suffix: str) -> Iterator[Row]:
    if other := describe_other_delimiter(text.split("\n", 2)[:2], suffix):
        yield ":1", BadRecord(other)
        return
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[suffix], strict=True)
    header: list[str] = []
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = row
                if len(set(header)) < len(header):
                    yield ":1", BadRecord("two columns have the same name")
            elif len(row) != len(header):
                message = f"{len(row)} fields, but the header has {len(header)}"
                yield f":{reader.line_num}", BadRecord(message)
            else:
                yield f":{reader.line_num}", dict(zip(header, row, strict=True))
    except csv.Error as error:
        yield f":{reader.line_num}", BadRecord(f"not CSV: {error}")


def _read_parquet(path: Path, name: str) -> Iterator[Row]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise TaskError(f"{name}: Parquet needs pyarrow: pip install 'evalmake[parquet]'") from None
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise TaskError(f"{name}: {str(error).splitlines()[0]}") from None
    for number, row in enumerate(table.to_pylist(), 1):
        # Through JSON: dates and decimals become text, as in the other formats.
        yield f": row {number}", parse_record(json.dumps(row, default=str))


def _type_name(value: object) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
