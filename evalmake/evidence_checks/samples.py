"""Checks samples: how many there are, in which order, their Merkle root, and that the scores are their means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.samples import REDACTABLE, SampleLeaf, is_field_shown, read_leaves, read_redacted, root_of
from evalmake.evidence.statements import SampleSet, state_samples
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.plugin_api.harness import LeavesSamples
from evalmake.plugins import InstalledPlugins
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.acceptance import ACCEPTED_FROM
from evalmake.store.sample_means import Agreement, compare_scores


@dataclass(slots=True)
class CheckedSamples:
    """By the names of evaluations: the samples that scores are aggregated from, and what statements say of them."""

    rows: dict[str, bytes] = field(default_factory=dict)
    sets: dict[str, SampleSet] = field(default_factory=dict)


def check_samples(
    folder: EvidenceFolder,
    evaluations: Sequence[ProvedEvaluation],
    build: Mapping[str, Any],
    findings: Findings,
) -> CheckedSamples:
    """Check all samples. `build` is the predicate of the build, which says what was left out of them."""
    wrong: list[str] = []
    found = CheckedSamples()
    redacted = tuple(map(str, build.get("redacted") or ()))
    if unknown := [name for name in redacted if name not in REDACTABLE]:
        wrong.append(f"{layout.BUILD} says that `{unknown[0]}` was left out, which nothing is")
    total = 0
    for one in evaluations:
        if one.counting is None:
            continue
        name = one.signed.name
        try:
            leaves = _read_samples(folder, one, bool(redacted))
        except BadEvidence as error:
            wrong.append(f"{name}: {error}")
            continue
        stated = one.signed.statement.predicate["result"].get("samples")
        if leaves is None:
            if why := _find_lack(one, stated):
                wrong.append(f"{name}: {why}")
            continue
        found.sets[name] = SampleSet(len(leaves), root_of(leaves), redacted)
        if stated != state_samples(found.sets[name]):
            wrong.append(f"{name}: {_explain(stated, leaves, redacted)}")
        wrong += [f"{name}: {text}" for text in _contradict_redaction(leaves, redacted)]
        found.rows[name] = b"".join(json.dumps(leaf.to_row()).encode() + b"\n" for leaf in leaves)
        total += len(leaves)
    counted = f"{count(total, 'sample')} of {count(len(found.rows), 'evaluation')}"
    findings.judge("samples", wrong, f"{counted}, by Merkle roots")
    if redacted and found.rows:
        findings.leave_out("texts", f"left out of the samples: {', '.join(sorted(redacted))}; their digests are in it")
    without = [one.signed.name for one in evaluations if one.counting and one.signed.name not in found.rows]
    if without and not wrong:
        findings.leave_out("samples", f"{count(len(without), 'evaluation')} left no samples: {without[0]}")
    return found


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


def _read_samples(folder: EvidenceFolder, one: ProvedEvaluation, is_redacted: bool) -> list[SampleLeaf] | None:
    whole, redacted = (
        f"{one.signed.folder}/{layout.OUTPUTS}/{SAMPLES}",
        f"{one.signed.folder}/{layout.REDACTED_SAMPLES}",
    )
    if folder.has(whole):
        output = next((output for output in one.outputs if output.name == SAMPLES), None)
        if output is None or folder.digest(whole) != output.sha256:
            raise BadEvidence(f"{whole} is not the file that its record names")
        if is_redacted or folder.has(redacted):
            raise BadEvidence(f"{whole} has texts that are said to be left out")
        return read_leaves(folder.read(whole))
    if folder.has(redacted):
        if not is_redacted:
            raise BadEvidence("its samples have no texts, and nothing is said to be left out")
        try:
            return read_redacted(folder.read(redacted))
        except ValueError as error:
            raise BadEvidence(f"{redacted}: {error}") from None
    return None


def _find_lack(one: ProvedEvaluation, stated: object) -> str:
    """Why samples that are not in the evidence must be; empty where there never were any."""
    if stated is not None or any(output.name == SAMPLES for output in one.outputs):
        return "its samples are missing"
    if leaves_samples(one) and one.counting and ACCEPTED_FROM not in one.counting.facts:
        return f"its record has no samples, which every result of `{find_harness(one)}` has"
    return ""


def _contradict_redaction(leaves: Sequence[SampleLeaf], redacted: Sequence[str]) -> Iterator[str]:
    """Fields that are left out though they need not be, or shown though they are said to be left out."""
    if not redacted:
        return
    for leaf in leaves:
        for name in leaf.hidden:
            if is_field_shown(name, redacted):
                yield f"sample {leaf.index} lacks `{name}`, which nobody says to be left out"
                return
        for name in leaf.shown:
            if not is_field_shown(name, redacted):
                yield f"sample {leaf.index} shows `{name}`, which is said to be left out"
                return


def find_harness(one: ProvedEvaluation) -> str:
    """The harness of an evaluation by its identity."""
    pairs = dict(dict(one.action.parts)["benchmark"].pairs)
    return pairs.get("harness", "").removeprefix("str:").partition("/")[0]


def leaves_samples(one: ProvedEvaluation) -> bool:
    """Whether all results of the evaluation's harness have samples; of a harness that is not here, nobody knows."""
    plugins, name = InstalledPlugins(), find_harness(one)
    harness = plugins.get("harnesses", name) if name in plugins.names("harnesses") else None
    return isinstance(harness, LeavesSamples) and harness.leaves_samples


def _gives_means(one: ProvedEvaluation) -> bool:
    """Whether the harness is evalmake's own, whose scores are means; others may report what is none, such as BLEU."""
    return find_harness(one) == "native"


def _explain(stated: object, leaves: Sequence[SampleLeaf], redacted: Sequence[str]) -> str:
    if isinstance(stated, dict) and list(stated.get("redacted") or ()) != list(redacted):
        return "its statement and that of the build name different texts that are left out"
    signed = stated.get("count") if isinstance(stated, dict) else None
    if signed != len(leaves):
        return f"{len(leaves)} samples in the folder, and {signed} signed"
    return "its samples have another Merkle root: one of them is changed, or another stands in its place"
