"""Checks samples: how many there are, in which order, their Merkle root, and that the scores are their means."""

from __future__ import annotations

import json
from collections.abc import Sequence

from evalmake.evidence import layout
from evalmake.evidence.samples import SampleLeaf, read_leaves, read_redacted, root_of
from evalmake.evidence.statements import SampleSet, state_samples
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.sample_means import Agreement, compare_scores


def check_samples(
    folder: EvidenceFolder, evaluations: Sequence[ProvedEvaluation], findings: Findings
) -> dict[str, bytes]:
    """Check all samples; return by the names of evaluations the samples that scores are aggregated from."""
    wrong: list[str] = []
    rows: dict[str, bytes] = {}
    total, redacted = 0, set[str]()
    for one in evaluations:
        if one.counting is None:
            continue
        try:
            leaves = _read_samples(folder, one)
        except BadEvidence as error:
            wrong.append(f"{one.signed.name}: {error}")
            continue
        stated = one.signed.statement.predicate["result"].get("samples")
        if leaves is None:
            if stated is not None or any(output.name == SAMPLES for output in one.outputs):
                wrong.append(f"{one.signed.name}: its samples are missing")
            continue
        names = tuple(stated.get("redacted") or ()) if isinstance(stated, dict) else ()
        if stated != state_samples(SampleSet(len(leaves), root_of(leaves), names)):
            wrong.append(f"{one.signed.name}: {_explain(stated, leaves)}")
        rows[one.signed.name] = b"".join(json.dumps(leaf.to_row()).encode() + b"\n" for leaf in leaves)
        total += len(leaves)
        redacted |= set(names)
    findings.judge("samples", wrong, f"{count(total, 'sample')} of {count(len(rows), 'evaluation')}, by Merkle roots")
    if redacted:
        findings.leave_out("texts", f"left out of the samples: {', '.join(sorted(redacted))}; their digests are in it")
    without = [one.signed.name for one in evaluations if one.counting and one.signed.name not in rows]
    if without and not wrong:
        findings.leave_out("samples", f"{count(len(without), 'evaluation')} left no samples: {without[0]}")
    return rows


def check_scores(evaluations: Sequence[ProvedEvaluation], rows: dict[str, bytes], findings: Findings) -> None:
    """Aggregate the samples again."""
    found = dict.fromkeys(Agreement, 0)
    wrong, alone = [], []
    for one in evaluations:
        if (data := rows.get(one.signed.name)) is None:
            continue
        for comparison in compare_scores(one.counting.scores if one.counting else (), data):
            found[comparison.agreement] += 1
            if comparison.agreement is Agreement.CONTRADICTED:
                wrong.append(f"{one.signed.name}: {comparison.message}")
            elif comparison.agreement is Agreement.UNKNOWN and _gives_means(one):
                wrong.append(f"{one.signed.name}: {comparison.metric} is not the mean of its samples")
            elif comparison.agreement is Agreement.UNKNOWN:
                alone.append(f"{one.signed.name}: {comparison.metric}")
    same = found[Agreement.EXACT]
    near = f", {found[Agreement.NEAR]} more but for rounding" if found[Agreement.NEAR] else ""
    findings.judge("scores", wrong, f"{count(same, 'score')} aggregated again: the same to the last digit{near}")
    if alone:
        message = f"{count(len(alone), 'score')} that samples do not give as a mean (first: {alone[0]})"
        findings.leave_out("scores", message)


def _read_samples(folder: EvidenceFolder, one: ProvedEvaluation) -> list[SampleLeaf] | None:
    whole, redacted = (
        f"{one.signed.folder}/{layout.OUTPUTS}/{SAMPLES}",
        f"{one.signed.folder}/{layout.REDACTED_SAMPLES}",
    )
    if folder.has(whole):
        output = next((output for output in one.outputs if output.name == SAMPLES), None)
        if output is None or folder.digest(whole) != output.sha256:
            raise BadEvidence(f"{whole} is not the file that its record names")
        return read_leaves(folder.read(whole))
    if folder.has(redacted):
        try:
            return read_redacted(folder.read(redacted))
        except ValueError as error:
            raise BadEvidence(f"{redacted}: {error}") from None
    return None


def _gives_means(one: ProvedEvaluation) -> bool:
    """Whether the harness is evalmake's own, whose scores are means; others may report what is none, such as BLEU."""
    pairs = dict(dict(one.action.parts)["benchmark"].pairs)
    return pairs.get("harness", "").startswith("str:native/")


def _explain(stated: object, leaves: Sequence[SampleLeaf]) -> str:
    signed = stated.get("count") if isinstance(stated, dict) else None
    if signed != len(leaves):
        return f"{len(leaves)} samples in the folder, and {signed} signed"
    return "its samples have another Merkle root: one of them is changed, or another stands in its place"
