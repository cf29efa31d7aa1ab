"""An exporter writes a report; entry-point group `evalmake.exporters`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import BaseModel

from evalmake.scoring.result_set import ResultSet


class Exporter(Protocol):
    """Writes a report."""

    Settings: ClassVar[type[BaseModel]]

    def export(self, results: ResultSet, path: Path) -> None:
        """Write `path` atomically: the same results give the same bytes."""
