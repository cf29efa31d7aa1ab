"""Writes samples.jsonl, a line for each completed sample, and the progress file."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.json_io import dumps, write_atomic
from evalmake.scoring.unscored_causes import CauseKind

PROGRESS_INTERVAL = 0.25
"""Seconds between two writes of the progress file, at least."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of samples.jsonl. It failed if `error` is set, and `cause_kind` then; it is unscored without `scores`.

    Of a reply that is a refusal, `refused` is true: its text is not scored but by a judge.
    `item` is the record's fingerprint, `latency` is in seconds, `request` is the body that was sent, and `weight` is
    None where it is 1. `tool_calls` are those of the reply; `message` is the whole of it, kept where a scorer reads it.
    Of a conversation, `turns` are all replies, if it has several: tokens and seconds are their sums. `question_key`
    is the same for the same conversation. `similarities` are what an embedder gave for checks, in their order, and
    `checks` are the checks with what became of each.
    `repetition` is which of several samples of its item it is, from 1; None if there is one.
    """

    id: str
    item: str
    index: int
    input: Mapping[str, Any]
    request: Mapping[str, Any]
    reply: str | None
    answer: str | None
    target: Any
    scores: Mapping[str, float]
    error: str | None
    tokens_in: int | None
    tokens_out: int | None
    latency: float | None
    finish_reason: str | None
    cluster: str | None
    judge: str | Sequence[str] | None = None
    cause_kind: CauseKind | None = None
    refused: bool | None = None
    weight: float | None = None
    tags: Sequence[str] | None = None
    cached: bool | None = None
    tool_calls: Sequence[Mapping[str, Any]] | None = None
    message: Mapping[str, Any] | None = None
    turns: Sequence[Mapping[str, Any]] | None = None
    question_key: str | None = None
    similarities: Sequence[float] | None = None
    checks: Sequence[Mapping[str, Any]] | None = None
    repetition: int | None = None

    def line(self) -> bytes:
        """The sample as a line of JSON."""
        row = {name: getattr(self, name) for name in NAMES}
        for name in _OPTIONAL:
            if row[name] is None:
                del row[name]
        return dumps(row) + b"\n"


NAMES = tuple(one.name for one in fields(Sample))
_OPTIONAL = (
    "judge",
    "cause_kind",
    "refused",
    "cached",
    "weight",
    "tags",
    "tool_calls",
    "message",
    "turns",
    "question_key",
    "similarities",
    "checks",
    "repetition",
)


class SampleLog:
    """samples.jsonl: each line is one write; `finish` sorts the lines by index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o644)
        self._lines: list[tuple[int, int, int, int]] = []
        self._end = 0

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self._lines)

    def add(self, sample: Sample) -> None:
        """Append a sample."""
        line = sample.line()
        if os.write(self._file, line) < len(line):
            raise OSError(f"{self.path}: no space left")
        self._lines.append((sample.index, sample.repetition or 1, self._end, len(line)))
        self._end += len(line)

    def finish(self) -> None:
        """Rewrite the file in the order of the data and close it."""
        lines = (os.pread(self._file, size, start) for *_, start, size in sorted(self._lines))
        write_atomic(self.path, lines)
        os.close(self._file)


class Progress:
    """The progress file: a small JSON file, rewritten a few times a second."""

    def __init__(self, path: Path | None, total: int) -> None:
        self.path = path
        self.total = total
        self.done = 0
        self.errors = 0
        self._next = 0.0

    def add(self, sample: Sample) -> None:
        """Count a sample; write the file if the last write is long enough ago."""
        self.done += 1
        self.errors += sample.error is not None
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_INTERVAL
            self.write()

    def write(self) -> None:
        """Write the file now."""
        if self.path is not None:
            state = {"done": self.done, "total": self.total, "errors": self.errors}
            write_atomic(self.path, [dumps(state)])
