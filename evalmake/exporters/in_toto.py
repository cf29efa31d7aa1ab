"""The `in-toto` report: signed evidence. Its Evalfiles load and plan; this version cannot write it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NoReturn

from evalmake.project.key_types import Block
from evalmake.scoring.result_set import ResultSet


class InTotoExporter:
    """Refuses to write signed in-toto evidence."""

    class Settings(Block):
        """No keys beyond every report's."""

    needs: ClassVar[str] = "this version of evalmake cannot write this format"

    def export(self, results: ResultSet, path: Path) -> NoReturn:
        """Fail: the format is not implemented."""
        raise NotImplementedError(self.needs)
