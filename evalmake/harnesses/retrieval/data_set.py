"""A data set in BEIR's layout: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`; standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

Judgements = dict[str, dict[str, int]]
"""Query -> document -> how relevant it is."""


class DataSetError(Exception):
    """What is wrong with a data set; `str` begins with `NAME:LINE: `."""


@dataclass(frozen=True)
class Parts:
    """The names of the three files."""

    corpus: str
    queries: str
    judgements: str


def find_parts(names: Iterable[str], split: str) -> Parts | str:
    """The files of the one data set among these; a text says why there is none."""
    known, found = list(names), []
    for wanted in ("corpus.jsonl", "queries.jsonl", f"{split}.tsv"):
        fits = [name for name in known if PurePosixPath(name).name == wanted]
        if len(fits) != 1:
            of = f"qrels/{wanted}" if wanted.endswith(".tsv") else wanted
            why = f"{len(fits)} files are a `{of}`" if fits else f"there is no `{of}`"
            return f"{why}: a benchmark has one data set in BEIR's layout"
        found.append(fits[0])
    return Parts(*found)


def read_judgements(name: str, path: Path) -> Judgements:
    """The judgements of a split, with or without the header of BEIR's files."""
    found: Judgements = {}
    for number, line in _read_lines(name, path):
        fields = line.rstrip("\r\n").split("\t")
        if number == 1 and fields[-1] in ("score", "relevance"):
            continue
        try:
            query, document, score = fields
            found.setdefault(query, {})[document] = int(score)
        except ValueError:
            message = f"{name}:{number}: the line is not a query's id, a document's id and a whole number, with tabs"
            raise DataSetError(message) from None
    if not found:
        raise DataSetError(f"{name}:1: there are no judgements")
    return found


def read_queries(name: str, path: Path, judgements: Judgements) -> dict[str, str]:
    """The texts of the queries that are judged, in the order of the file."""
    found = {}
    for number, id, row in _read_objects(name, path):
        if id in found:
            raise DataSetError(f"{name}:{number}: the query `{id}` is there twice")
        if id in judgements:
            found[id] = str(row.get("text") or "").strip()
            if not found[id]:
                raise DataSetError(f"{name}:{number}: the query `{id}` has no `text`")
    if missing := next((id for id in judgements if id not in found), ""):
        raise DataSetError(f"{name}:1: there is no query `{missing}`, which is judged")
    return found


def read_documents(name: str, path: Path) -> Iterator[tuple[str, str]]:
    """The ids and texts of the corpus: title and text, as BEIR joins them. One without either cannot be found."""
    for _, id, row in _read_objects(name, path):
        text = f"{row.get('title') or ''} {row.get('text') or ''}".strip()
        if text:
            yield id, text


def _read_objects(name: str, path: Path) -> Iterator[tuple[int, str, Mapping[str, object]]]:
    """The objects of a file, each with its line and its id."""
    for number, line in _read_lines(name, path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataSetError(f"{name}:{number}: it is not JSON: {error}") from None
        if not isinstance(row, dict) or not isinstance(row.get("_id"), str | int):
            raise DataSetError(f"{name}:{number}: it is no object with an `_id`")
        yield number, str(row["_id"]), row


def _read_lines(name: str, path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                yield number, line
    except UnicodeDecodeError:
        raise DataSetError(f"{name}:{number + 1}: it is not UTF-8 text") from None
