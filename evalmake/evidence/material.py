"""What evidence is made of, and the optional ability of an exporter that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, runtime_checkable

from evalmake.planner.action import ActionResult, Artifact
from evalmake.scoring.gates import GateResult
from evalmake.signatures.keys import Signer


class StoredRecord(NamedTuple):
    """The record of an attempt, and its text as the store has it."""

    result: ActionResult
    text: str


@dataclass(frozen=True, slots=True)
class EvaluationMaterial:
    """One evaluation, with everything that the store has of it."""

    name: str
    """The path of the cell; records of a result that cells share may have the name of another one."""
    attempts: tuple[StoredRecord, ...]
    """Every attempt of the action, oldest first."""
    counting: ActionResult | None
    """The attempt that counts; None without a valid result."""
    earlier: tuple[StoredRecord, ...]
    """Attempts of the same cell under earlier definitions, oldest first."""
    parts: Mapping[str, Mapping[str, str]]
    """Digest of a part of an identity -> its walk, for all parts that the records name."""

    @property
    def told(self) -> ActionResult:
        """The attempt that stands for the evaluation: the one that counts, or else the last one."""
        return self.counting or self.attempts[-1].result


@dataclass(frozen=True, slots=True)
class EvidenceMaterial:
    """Everything that a format needs that holds evidence: a portable store, with the sources of its Evalfile."""

    report: str
    plan: str
    """The digest of the plan that has this report as its target."""
    version: str
    """The version of evalmake."""
    reports: Mapping[str, bytes]
    """The report as text and as JSON, by the names of their files."""
    write_sources: Callable[[Path], None]
    """Write the sources, and what else loading read, into a folder."""
    evaluations: tuple[EvaluationMaterial, ...]
    missing: tuple[str, ...]
    """The cells without a result."""
    gates: tuple[GateResult, ...]
    secret: bytes
    """A secret of the store, for salts."""
    signers: tuple[Signer, ...]
    write_output: Callable[[Artifact, IO[bytes]], bool]
    """Write the content of an output to a file; whether it is there and has the right digest."""


@runtime_checkable
class ExportsEvidence(Protocol):
    """An exporter that writes a folder of evidence in place of one file of results."""

    def export_evidence(self, material: EvidenceMaterial, settings: Any, path: Path) -> None:
        """Write the folder `path`, whole or not at all. The same results give the same bytes.

        `settings` are the exporter's own `Settings`, as the report has them.
        """
