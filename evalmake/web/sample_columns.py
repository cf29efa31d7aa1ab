"""Packs samples for a page: columns that lists and filters read at once, and texts in blocks that are read on demand.

Prompt, target and record are the same for all models and seeds that are asked a question, so they are stored once.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from xxhash import xxh3_128_digest

from evalmake.web.material import PageSample

_BLOCK = 256 << 10  # characters of JSON, after which a block ends
_FIRST_LINE, _SHORT = 120, 80
"""So many characters of a prompt, and of an answer or target, stand in a list."""
_GREATEST = 2.0**63
_OF_COLUMNS = ("id", "item", "index", "repetition", "tokens_in", "tokens_out", "latency", "finish_reason")
_OF_QUESTION = ("input", "request", "target", "messages", "prompt")
FAILED, UNSCORED, TRUNCATED, CACHED, ERROR = 1, 2, 4, 8, 16
"""What a sample is, as bits."""


class TextBlocks:
    """Objects in compressed blocks, each of which a page decodes when it needs one of its objects."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.starts: list[int] = []
        self._open: list[str] = []
        self._size = self._count = 0

    def add(self, value: Mapping[str, Any]) -> int:
        """Add an object, and return its number."""
        text = encode_json(value)
        if not self._open:
            self.starts.append(self._count)
        self._open.append(text)
        self._size += len(text)
        self._count += 1
        if self._size >= _BLOCK:
            self.finish()
        return self._count - 1

    def finish(self) -> None:
        """End the block that is open."""
        if self._open:
            self.blocks.append(compress(f"[{','.join(self._open)}]"))
        self._open, self._size = [], 0


class SampleColumns:
    """Takes samples in one by one. What `with_texts` leaves out is never in the columns."""

    def __init__(self, cells: Mapping[str, str], with_texts: bool) -> None:
        """`cells` has the benchmark of each cell."""
        self.replies, self.questions = TextBlocks(), TextBlocks()
        self._benchmarks, self._with_texts = cells, with_texts
        self._cells = {name: number for number, name in enumerate(cells)}
        self._known: dict[bytes, int] = {}
        self._items: dict[tuple[str, str, str], int] = {}
        self._finishes: dict[str, int] = {}
        self._heads: list[tuple[str, str]] = []
        self._columns: dict[str, list[Any]] = {
            name: []
            for name in ("cell", "item", "question", "repetition", "score", "is", "in", "out", "latency", "finish")
        }
        self._answers: list[str] = []

    def add(self, sample: PageSample) -> None:
        """Add a sample."""
        row = sample.row
        benchmark = self._benchmarks[sample.cell]
        finish = row.get("finish_reason")
        values = {
            "cell": self._cells[sample.cell],
            "item": self.number_item(benchmark, str(row["id"]), str(row.get("item") or "")),
            "question": self._number_question(sample) if self._with_texts else None,
            "repetition": _to_count(row.get("repetition", 1)),
            "score": _to_number(sample.score),
            "is": _describe(sample),
            "in": _to_count(row.get("tokens_in")),
            "out": _to_count(row.get("tokens_out")),
            "latency": _to_number(row.get("latency")),
            "finish": None if finish is None else self._finishes.setdefault(str(finish), len(self._finishes)),
        }
        for name, value in values.items():
            self._columns[name].append(value)
        if self._with_texts:
            self._answers.append(_shorten(row.get("answer", row.get("reply")), _SHORT))
            self.replies.add(_make_reply(sample))

    def number_item(self, benchmark: str, id: str, content: str) -> int:
        """The number of an item, by which the comparisons of a page know it."""
        return self._items.setdefault((benchmark, id, content), len(self._items))

    def _number_question(self, sample: PageSample) -> int:
        question = _make_question(sample)
        key = xxh3_128_digest(encode_json(question).encode())
        if key not in self._known:
            self._known[key] = self.questions.add(question)
            prompt = next((text for role, text in reversed(sample.messages) if text.strip()), "")
            self._heads.append((_shorten(prompt, _FIRST_LINE), _shorten(sample.row.get("target"), _SHORT)))
        return self._known[key]

    def finish(self) -> bytes:
        """The columns, compressed; all items that comparisons name must be numbered before."""
        self.replies.finish()
        self.questions.finish()
        return compress(
            encode_json(
                {
                    **self._columns,
                    "cells": list(self._cells),
                    "items": [id for _, id, _ in self._items],
                    "finishes": list(self._finishes),
                    "heads": self._heads,
                    "answers": self._answers,
                    "reply_starts": self.replies.starts,
                    "question_starts": self.questions.starts,
                }
            )
        )


def encode_json(value: object) -> str:
    """A value as JSON in ASCII, in which half a surrogate pair has its place, too."""
    try:
        return json.dumps(value, separators=(",", ":"), default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_spell_out(value), separators=(",", ":"), default=str)


def _spell_out(value: object) -> object:
    """A value with texts in place of numbers that JSON does not have: Python reads and writes `NaN`."""
    if isinstance(value, dict):
        return {name: _spell_out(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_spell_out(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def compress(text: str) -> bytes:
    """A text as a browser's DecompressionStream("deflate") reads it."""
    return zlib.compress(text.encode(), 6)


def _make_question(sample: PageSample) -> dict[str, Any]:
    row = sample.row
    request = row.get("request")
    others = (
        {k: v for k, v in request.items() if k not in ("messages", "prompt", "seed", "model")}
        if isinstance(request, dict)
        else {}
    )
    return {"messages": sample.messages, "target": row.get("target"), "record": row.get("input"), "request": others}


def _make_reply(sample: PageSample) -> dict[str, Any]:
    """What is told of a sample beyond its columns and its question; what is not known is left out."""
    row = {k: v for k, v in sample.row.items() if k not in (*_OF_COLUMNS, *_OF_QUESTION) and v is not None}
    if sample.reasoning:
        row["reasoning"] = sample.reasoning
    if sample.answer_text is not None and sample.answer_text != row.get("reply"):
        row["reply_shown"] = sample.answer_text
    return row


def _describe(sample: PageSample) -> int:
    row = sample.row
    holds: Iterable[tuple[int, object]] = (
        (FAILED, sample.has_failed),
        (UNSCORED, sample.score is None),
        (TRUNCATED, row.get("finish_reason") in ("length", "max_tokens")),
        (CACHED, row.get("cached")),
        (ERROR, row.get("error")),
    )
    return sum(bit for bit, value in holds if value)


def _shorten(value: object, size: int) -> str:
    """The first characters of a value on one line."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text[: 4 * size].split())
    return line if len(line) <= size else f"{line[: size - 1]}…"


def _to_number(value: object) -> float | None:
    """A number that JSON has, and a browser."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_GREATEST < value < _GREATEST else None


def _to_count(value: object) -> int | None:
    return value if isinstance(value, int) and _to_number(value) is not None else None
