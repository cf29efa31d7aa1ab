"""Reproduces the numbers of evidence: what they need here, their replies scored again, or the models asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from evalmake.evidence_checks.findings import Findings, State
from evalmake.evidence_checks.folder import EvidenceFolder
from evalmake.evidence_checks.missing_parts import Readiness, check_readiness
from evalmake.evidence_checks.project_copy import ProjectLayout, write_project
from evalmake.evidence_checks.records import read_proved
from evalmake.evidence_checks.replay import ReplayedEvaluation, replay_evaluations
from evalmake.evidence_checks.samples import check_samples
from evalmake.evidence_checks.second_run import SecondRun, compare_runs, run_again
from evalmake.evidence_checks.sources import read_inputs
from evalmake.evidence_checks.verify import VerifiedEvidence, verify_evidence
from evalmake.signatures.keys import PublicKey

if TYPE_CHECKING:
    from evalmake.run.events import Emit


@dataclass(slots=True)
class Reproduction:
    """What was found, in the order of the steps; a step that was not taken has None."""

    verified: VerifiedEvidence
    layout: ProjectLayout | None = None
    ready: Readiness | None = None
    replayed: list[ReplayedEvaluation] | None = None
    second: SecondRun | None = None
    asks: bool = False

    @property
    def status(self) -> int:
        """0 if nothing is missing and all agrees, 1 if not, 2 if the evidence does not hold or something failed."""
        if self.verified.findings.has_failed:
            return 2
        if self.second is not None:
            return self.second.status
        if self.ready is not None and self.ready.missing:
            return 2 if self.asks else 1
        return 0 if all(one.agrees for one in self.replayed or ()) else 1


def reproduce(
    evidence: Path,
    keys: Sequence[PublicKey],
    into: Path | None,
    overrides: Sequence[str],
    asks: bool,
    replays: bool,
    emit: Emit,
) -> Reproduction:
    """Verify evidence; write its project to `into`, if there is one; then ask or replay, if that is wanted.

    OSError where the evidence cannot be read, EvalmakeError where the project cannot be written.
    """
    evidence = evidence.absolute()
    found = Reproduction(verify_evidence(evidence, keys, scores_replies=not replays), asks=asks)
    if found.verified.findings.has_failed:
        return found
    folder = EvidenceFolder.open(evidence)
    report = str(found.verified.predicate["buildDefinition"]["externalParameters"]["report"])
    proved = read_proved(folder)
    with TemporaryDirectory(prefix="evalmake-reproduce-") as name:
        scratch = Path(name)
        if into is not None:
            inputs = read_inputs(evidence)
            found.layout = write_project(evidence, inputs, into.resolve())
            names = [one.signed.name for one in proved]
            found.ready = check_readiness(evidence, inputs, found.layout, names, overrides, scratch / "plan")
            if asks and not found.ready.missing:
                outcome = run_again(inputs, found.layout, found.ready, overrides, emit)
                rows = check_samples(folder, proved, found.verified.predicate, Findings()).rows
                found.second = compare_runs(folder, report, proved, rows, outcome, scratch / "recorded")
        if replays:
            checks = found.verified.findings.checks
            read_again = any(one.subject == "outputs" and one.state is State.HOLDS for one in checks)
            found.replayed = replay_evaluations(folder, report, proved, read_again, scratch / "replay")
    return found
