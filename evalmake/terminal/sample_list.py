"""What `evalmake results --samples` prints: a line for each sample, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from evalmake.language.diagnostic import make_error
from evalmake.language.markdown_text import render_table
from evalmake.sample_filter.fields import KnownNames, Meaning
from evalmake.sample_filter.parser import parse_field
from evalmake.scoring.numbers import format_given
from evalmake.stored_samples import StoredSample, make_field_reader
from evalmake.terminal.safe_text import clean_line
from evalmake.terminal.table_formats import to_csv, to_latex

DEFAULT_COLUMNS = ("id", "score", "target", "reply")
_WIDEST = 40  # of a column, but for the last one
_PIPE_WIDTH = 120
_NARROWEST = 12


@dataclass(slots=True)
class Column:
    """A column by its name, and how its value is read."""

    name: str
    meaning: Meaning
    is_empty: bool = True  # so far

    def make_reader(self) -> Callable[[StoredSample], object]:
        """A function from a sample to the value; it notes whether there is one."""
        read = make_field_reader(self.meaning)

        def read_and_note(sample: StoredSample) -> object:
            value = read(sample)
            if value is not None:
                self.is_empty = False
            return value

        return read_and_note if self.meaning.kind == "record" else read

    def explain_emptiness(self, known: KnownNames) -> str:
        """What is wrong with the name of a field that none of the records had; empty if nothing is."""
        path = ("record", *self.meaning.path)
        if self.meaning.kind != "record" or not self.is_empty or path[1] in known.list_record_fields():
            return ""
        message, help = known.explain(path)
        return f"{message}; {help}" if help else message


def choose_columns(text: str | None, known: KnownNames, several: bool) -> list[Column]:
    """The columns that are asked for, else the default ones; EvalmakeError for a name that is unknown."""
    if text is None:
        names = [*(["cell"] if several else []), *DEFAULT_COLUMNS]
    else:
        names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise make_error("unknown-field", "`--columns` names no column", help=["write `--columns id,score,reply`"])
    columns = []
    for name in names:
        path = parse_field(name) or (name,)
        meaning = known.find(path) or known.find((name,))
        if meaning is None:
            message, help = known.explain(path)
            raise make_error("unknown-field", message, help=[help or "`evalmake help results` has the fields"])
        columns.append(Column(name, meaning))
    return columns


def render_samples(
    samples: Iterable[StoredSample], columns: Sequence[Column], form: str, width: int | None = None
) -> Iterator[str]:
    """The samples in one of the formats, in pieces."""
    readers = [one.make_reader() for one in columns]
    rows = ([read(sample) for read in readers] for sample in samples)
    names = [one.name for one in columns]
    match form:
        case "json":
            yield from _to_json(rows, names)
        case "csv":
            yield to_csv([names])
            yield from (to_csv([list(map(_to_plain, row))]) for row in rows)
        case "markdown":
            yield render_table([names, *(_to_texts(row) for row in rows)]) + "\n"
        case "latex":
            yield to_latex([names, *(_to_texts(row) for row in rows)], len(names)) + "\n"
        case _:
            yield _to_table(names, [_to_texts(row) for row in rows], width or _PIPE_WIDTH)


def _to_json(rows: Iterable[Sequence[object]], names: Sequence[str]) -> Iterator[str]:
    """A list with an object for each sample."""
    yield "["
    for number, row in enumerate(rows):
        entry = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
        yield f"{',' if number else ''}\n  {entry}"
    yield "\n]\n"


def _to_plain(value: object) -> object:
    """A value as CSV has it: lists and objects as JSON."""
    if isinstance(value, bool | list | dict | tuple):
        return json.dumps(value, ensure_ascii=False)
    return value


def _to_texts(row: Sequence[object]) -> list[str]:
    return list(map(_to_text, row))


def _to_text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return format_given(round(value, 6))
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return str(_to_plain(value))


def _to_table(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Columns side by side, each sample on a line: what does not fit is cut."""
    cells = [list(names), *([clean_line(" ".join(text.split())) for text in row] for row in rows)]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    widths[-1] = max(len(row[-1]) for row in cells)
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > _NARROWEST:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = sorted(widths)[-2] if len(widths) > 1 else 0
        excess = sum(widths) + 2 * (len(widths) - 1) - width
        widths[widest] = max(widths[widest] - max(1, min(excess, widths[widest] - others)), _NARROWEST)
    lines = ("  ".join(_fit(text, room) for text, room in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "".join(f"{line}\n" for line in lines)


def _fit(text: str, room: int) -> str:
    return text.ljust(room) if len(text) <= room else text[: room - 3] + "..."
