"""What a page is made of, and the optional ability of an exporter that writes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from evalmake.scoring.result_set import ResultSet


class PageSample(NamedTuple):
    """One sample: its line of `samples.jsonl`, and what is read from it as `evalmake results` reads it."""

    cell: str
    row: Mapping[str, Any]
    score: float | None  # by the headline metric
    has_failed: bool | None  # None where the full score is not known
    messages: Sequence[tuple[str, str]]  # role and text
    reasoning: str | None
    answer_text: str | None  # the reply without its reasoning, where that stands in it


@dataclass(frozen=True, slots=True)
class PageMaterial:
    """The results of a report, the stories of its evaluations, and their samples."""

    results: ResultSet
    stories: Sequence[Mapping[str, Any]]
    read_samples: Callable[[], Iterator[PageSample]]


@runtime_checkable
class ExportsPage(Protocol):
    """An exporter that also shows samples, and where results come from."""

    def export_page(self, material: PageMaterial, settings: Any, path: Path) -> None:
        """Write the page to `path`, whole or not at all. The same results give the same bytes.

        `settings` are the exporter's own `Settings`, as the report has them.
        """
