"""Evidence that an earlier evalmake wrote is still verified."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evalmake.evidence_checks.findings import State
from evalmake.evidence_checks.folder import EvidenceFolder
from evalmake.evidence_checks.results import compare_numbers
from evalmake.evidence_checks.verify import verify_evidence
from evalmake.signatures.keys import read_public_key
from tests.evidence_checks.conftest import failures

KEPT = sorted(Path(__file__).parent.glob("evidence-*"))
"""A folder for each version of the format, with its public key. Their statements name an evalmake of 0.0.9."""


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_it_is_verified(kept: Path) -> None:
    """Signatures, records, samples and scores hold; what only its own evalmake writes may be unchecked."""
    found = verify_evidence(kept / "evidence", [read_public_key(kept / "audit.pub")])
    assert failures(found) == {}
    holding = {one.subject for one in found.findings.checks if one.state is State.HOLDS}
    assert holding >= {"signatures", "files", "records", "samples", "scores"}
    records = next(one for one in found.findings.checks if one.subject == "records")
    assert records.message == "3 attempts of 2 evaluations, 1 of them failed or cancelled"


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_a_changed_number_is_found(kept: Path, tmp_path: Path) -> None:
    """A number in its report that the records do not have is named, though the report's text may be another today."""
    folder, key = Path(shutil.copytree(kept / "evidence", tmp_path / "evidence")), read_public_key(kept / "audit.pub")
    results = verify_evidence(folder, [key]).results
    assert results is not None
    assert compare_numbers(EvidenceFolder.open(folder), results) == []
    path = folder / "report.json"
    path.write_text(path.read_text().replace('"value": 1', '"value": 0.99'))
    assert compare_numbers(EvidenceFolder.open(folder), results) != []
