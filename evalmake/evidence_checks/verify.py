"""Verifies a folder of evidence, from the signatures to the printed number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence_checks.agreed_plan import check_agreed_plan
from evalmake.evidence_checks.disclosed_samples import verify_disclosure
from evalmake.evidence_checks.envelopes import check_expiry, check_files, check_signatures, read_evaluations
from evalmake.evidence_checks.findings import Findings
from evalmake.evidence_checks.folder import LARGEST, BadEvidence, EvidenceFolder, SignedStatement
from evalmake.evidence_checks.provenance import check_provenance
from evalmake.evidence_checks.records import check_records
from evalmake.evidence_checks.results import check_results
from evalmake.evidence_checks.samples import check_samples, check_scores
from evalmake.evidence_checks.statements import check_statements
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.saved_plan import SavedPlan
from evalmake.scoring.result_set import ResultSet
from evalmake.signatures.keys import PublicKey

_LONGEST = 200  # characters
_MALFORMED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, EvalmakeError)
"""What a statement or a record of another form may raise."""


@dataclass(slots=True)
class VerifiedEvidence:
    """What was found, what the build's statement says, and the results, where the records give some."""

    path: Path
    findings: Findings = field(default_factory=Findings)
    predicate: Mapping[str, Any] = field(default_factory=dict)
    results: ResultSet | None = None
    sample: Mapping[str, Any] = field(default_factory=dict)
    """Of a disclosure: the fields of its sample."""


def verify_sample(path: Path, keys: Sequence[PublicKey]) -> VerifiedEvidence:
    """Check a file of one sample that was disclosed; OSError where it cannot be read."""
    found = VerifiedEvidence(path)
    if path.stat().st_size > LARGEST:
        found.findings.fail("sample", f"{path.name} is too large to be a sample: {path.stat().st_size >> 20} MiB")
    else:
        found.sample = verify_disclosure(path.read_bytes(), path.name, keys, found.findings)
    return found


def verify_evidence(
    path: Path,
    keys: Sequence[PublicKey],
    now: datetime | None = None,
    agreed: SavedPlan | None = None,
    scores_replies: bool = True,
) -> VerifiedEvidence:
    """Check a folder of evidence, perhaps by a plan that was agreed on; OSError where it cannot be read.

    Recorded replies are scored again, unless not `scores_replies`.
    """
    found = VerifiedEvidence(path)
    findings = found.findings
    try:
        folder = EvidenceFolder.open(path)
        if not folder.has(layout.BUILD):
            raise BadEvidence(f"it is no folder of evidence: it has no {layout.BUILD}")
        build = folder.open_statement(layout.BUILD, layout.BUILD_TYPE, keys)
        if build.predicate.get("version") != layout.VERSION:
            raise BadEvidence(f"it is evidence of version {build.predicate.get('version')}, which is not known here")
    except BadEvidence as error:
        findings.fail("statements", str(error))
        return found
    found.predicate = build.predicate
    try:
        _check_all(folder, build, keys, now or datetime.now(UTC), agreed, scores_replies, found)
    except _MALFORMED as error:
        # Whoever signs may sign anything: a statement or a record of another form is not evidence.
        findings.fail("form", f"it does not have the form of evidence: {type(error).__name__}: {error}"[:_LONGEST])
    return found


def _check_all(
    folder: EvidenceFolder,
    build: SignedStatement,
    keys: Sequence[PublicKey],
    now: datetime,
    agreed: SavedPlan | None,
    scores_replies: bool,
    found: VerifiedEvidence,
) -> None:
    findings = found.findings
    evaluations = read_evaluations(folder, build, keys, findings)
    check_signatures([build, *(one.statement for one in evaluations)], keys, findings)
    if findings.fails("signatures"):  # what nobody vouches for may be made to take all time and memory
        findings.skip("the rest", "not looked at, as nobody whom you trust has signed it")
        return
    check_expiry(build, now, findings)
    check_files(folder, build, evaluations, findings)
    proved = check_records(folder, evaluations, build.predicate, findings)
    check_provenance(folder, proved, findings)
    if agreed is not None:
        check_agreed_plan(agreed, folder, proved, findings)
    samples = check_samples(folder, proved, build.predicate, findings)
    check_statements(folder, build, proved, samples.sets, findings)
    check_scores(proved, samples.rows, findings)
    with TemporaryDirectory(prefix="evalmake-verify-") as scratch:
        place = Path(scratch)
        found.results = check_results(folder, build, proved, samples.rows, place, findings, agreed, scores_replies)
