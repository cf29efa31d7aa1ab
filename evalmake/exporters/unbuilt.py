"""Formats whose reports load, format and plan here, and which cannot be written in this version."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NoReturn

from evalmake.project.key_types import Block
from evalmake.scoring.result_set import ResultSet


class InTotoExporter:
    """Signed in-toto evidence."""

    class Settings(Block):
        """No keys beyond every report's."""

    needs: ClassVar[str] = "this version of evalmake cannot write this format"

    def export(self, results: ResultSet, path: Path) -> NoReturn:
        """There is nothing to write yet."""
        raise NotImplementedError(self.needs)
