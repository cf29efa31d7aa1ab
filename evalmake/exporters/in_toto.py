"""The `in-toto` report: a folder of evidence that an outsider checks by `evalmake verify`, without the store."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from evalmake.evidence.material import EvidenceMaterial
from evalmake.evidence.writer import write_evidence
from evalmake.exporters.in_toto_settings import InTotoSettings
from evalmake.scoring.result_set import ResultSet


class InTotoExporter:
    """Writes signed in-toto statements with all that they are about."""

    Settings: ClassVar[type[BaseModel]] = InTotoSettings
    signs: ClassVar[bool] = True

    def export(self, results: ResultSet, path: Path) -> None:
        """Fail: results alone are no evidence."""
        raise TypeError("the `in-toto` report is written from a store")

    def export_evidence(self, material: EvidenceMaterial, settings: InTotoSettings, path: Path) -> None:
        """Write the folder of evidence."""
        write_evidence(material, path, settings.redact, settings.valid.seconds if settings.valid else None)
