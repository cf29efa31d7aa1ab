"""Brings evidence into a store: its records and outputs, after nothing was found to be wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from evalmake.evidence import layout
from evalmake.evidence.material import StoredRecord
from evalmake.evidence_checks.findings import State
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.missing_parts import Readiness, complete_project
from evalmake.evidence_checks.project_copy import write_project
from evalmake.evidence_checks.records import ProvedEvaluation, read_proved
from evalmake.evidence_checks.sources import read_inputs
from evalmake.evidence_checks.verify import verify_evidence
from evalmake.signatures.keys import PublicKey
from evalmake.store.foreign_records import Merged, append_attempts
from evalmake.store.store import Store


@dataclass(frozen=True, slots=True)
class ImportedEvidence:
    """How many evaluations were added, were there already, or have other attempts here."""

    added: int
    known: int
    conflicts: tuple[str, ...]


def is_evidence(path: Path) -> bool:
    """Whether a path is a folder of evidence."""
    return (path / layout.BUILD).is_file() and (path / layout.INPUTS).is_file()


def check_before_import(path: Path, keys: Sequence[PublicKey]) -> None:
    """BadEvidence where something is wrong with the evidence, or too little is in it to be a result."""
    found = verify_evidence(path, keys)
    for check in found.findings.checks:
        if check.state is State.FAILS:
            raise BadEvidence(f"{check.subject}: {check.message}")
    if redacted := found.predicate.get("redacted"):
        raise BadEvidence(f"it was written without {' and '.join(redacted)}: only what is whole can be a result here")


def write_sources(path: Path, folder: Path) -> tuple[Path, Readiness]:
    """Write the Evalfile of evidence, and what it reads, into an empty folder; return it, and what it lacks there."""
    inputs, found = read_inputs(path), Readiness()
    project = write_project(path, inputs, folder.absolute())
    with TemporaryDirectory(prefix="evalmake-import-") as scratch:
        complete_project(path, inputs, project, Path(scratch), found)
    return project.path, found


def import_records(path: Path, store: Store) -> ImportedEvidence:
    """Append what the store does not have: all, or nothing where that fails."""
    folder = EvidenceFolder.open(path)
    proved = read_proved(folder)
    ends: Counter[Merged] = Counter()
    conflicts: list[str] = []
    with store.database.transaction():
        for one in proved:
            outputs = _find_outputs(folder, one)
            end = append_attempts(store, one.attempts, one.parts, outputs)
            ends[end] += 1
            earlier = [append_attempts(store, found, one.parts, outputs) for found in _group_whole(one.earlier)]
            conflicts += [one.signed.name] if Merged.CONFLICT in (end, *earlier) else []
        store.mark_changed()
    store.save_rebuilt_histories()
    return ImportedEvidence(ends[Merged.ADDED], ends[Merged.KNOWN], tuple(conflicts))


def _find_outputs(folder: EvidenceFolder, one: ProvedEvaluation) -> dict[str, Path]:
    """The files of the evidence that are outputs of its attempts, by their sha256."""
    records = (record.result for record in (*one.attempts, *one.earlier))
    return {
        output.sha256: folder.path / path
        for record in records
        for path, output in one.list_kept(record).items()
        if folder.has(path)
    }


def _group_whole(records: Sequence[StoredRecord]) -> list[list[StoredRecord]]:
    """Records by their actions, of those actions alone whose attempts are all there."""
    found: dict[str, list[StoredRecord]] = {}
    for record in records:
        found.setdefault(record.result.action, []).append(record)
    ordered = [sorted(group, key=lambda one: one.result.attempt) for group in found.values()]
    return [group for group in ordered if [one.result.attempt for one in group] == [*range(1, len(group) + 1)]]
