"""What a reader makes of the files of samples: rows, and which metrics are means of others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.harnesses.samples import GatewayRequests, Row


@dataclass(frozen=True, slots=True)
class Reading:
    """The samples of a run. Their scores have the names of results.yml: TASK_METRIC_SCORE.

    A row with an error and no score is one of each metric, without a score of it.
    """

    rows: Sequence[Row] = ()
    composites: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Metrics that are the mean of other metrics, each of which counts as much, however many samples it has."""
    pools: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Metrics over all samples of other metrics."""
    decimals: int | None = None
    """To how many decimals the harness rounds the means that it reports; None if it does not."""


Reader = Callable[[Path, GatewayRequests], Reading | None]
"""Reads the samples below a folder; None if there are none of its form."""


def hash_content(*content: Any) -> str:
    """The hash of an item's content."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_json_lines(path: Path) -> Iterator[Any]:
    """Yield the value of each line that is not empty."""
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def read_json(path: Path) -> Any:
    """The value in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def find_only(folder: Path, pattern: str) -> Path | None:
    """The only file that a pattern finds; None without one, and ValueError for several: results of which run?"""
    found = sorted(folder.glob(pattern))
    if len(found) > 1:
        raise ValueError(f"there are {len(found)} files {pattern}")
    return found[0] if found else None
