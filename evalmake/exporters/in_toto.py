"""The `in-toto` report: a folder of evidence that an outsider checks by `evalmake verify`, without the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator

from evalmake.evidence.material import EvidenceMaterial
from evalmake.evidence.writer import write_evidence
from evalmake.language.values import Duration
from evalmake.project.key_types import Block, define_key, to_tuple, to_word
from evalmake.scoring.result_set import ResultSet

Redactable = Annotated[Literal["prompt", "target", "reply"], BeforeValidator(to_word)]


class InTotoSettings(Block):
    """What evidence leaves out, and until when it is valid."""

    redact: Annotated[tuple[Redactable, ...], BeforeValidator(to_tuple)] = define_key(
        (),
        "The texts to leave out: of them, the folder has digests only.",
        "[prompt, target]",
        type="list of prompt, target, reply",
    )
    valid: Duration | None = define_key(
        None, "For how long after its last result the evidence can be relied on.", "365d", unset="for ever"
    )


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
