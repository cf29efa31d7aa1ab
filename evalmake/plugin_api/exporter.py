"""How to write an exporter: it writes a report in one format; entry-point group `evalmake.exporters`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import BaseModel

from evalmake.scoring.result_set import ResultSet


class Exporter(Protocol):
    """Writes a report."""

    Settings: ClassVar[type[BaseModel]]
    """The keys that a report has beyond those of every report; describe each with `define_key`."""

    # An exporter may also have `signs: ClassVar[bool]`: whether it makes the signatures of `sign` by itself. Otherwise
    # evalmake writes them to PATH.sig.json. With `tells_failures: ClassVar[bool] = True`, the report is also written
    # if none of its evaluations has a result.

    def export(self, results: ResultSet, path: Path) -> None:
        """Write the report to `path`, whole or not at all. The same results give the same bytes."""
