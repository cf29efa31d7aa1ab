"""Compares what attempts say of how they were made with their records: executors, facts, retries and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from evalmake.evidence_checks.attempts import AFTER_A_FAILURE, AFTER_AN_ATTEMPT, CHANGED, read_time
from evalmake.evidence_checks.findings import Findings
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.planner.action import ActionResult
from evalmake.provenance.attempt import ATTEMPT
from evalmake.provenance.build import BUILD
from evalmake.store.acceptance import ACCEPTED_FROM

_CLOCK = timedelta(seconds=2)


def check_provenance(folder: EvidenceFolder, evaluations: Sequence[ProvedEvaluation], findings: Findings) -> None:
    """Compare the provenance of all attempts with their records."""
    wrong = [f"{one.signed.name}: {text}" for one in evaluations for text in _contradict_provenance(folder, one)]
    findings.judge("provenance", wrong, "how attempts were made does not contradict their records")
    if lost := [f"{one.signed.name}: {text}" for one in evaluations for text in _list_lost(folder, one)]:
        findings.skip("provenance", "attempts by earlier definitions are not in the evidence", *lost)


def _list_lost(folder: EvidenceFolder, one: ProvedEvaluation) -> Iterator[str]:
    """Attempts that ran as a definition had changed, where nothing that ran by another one before is there."""
    results = [record.result for record in (*one.attempts, *one.earlier)]
    for record in results:
        if ACCEPTED_FROM in record.facts:
            continue
        try:
            reasons = read_provenance(folder, one, record, ATTEMPT).get("reasons") or ()
        except BadEvidence:
            continue  # which is told already
        changed = next((reason.get("subject") for reason in reasons if reason.get("kind") == CHANGED), None)
        if changed and not any(other.action != record.action and other.started < record.started for other in results):
            where = f"attempt {record.attempt} of {record.action[:19]}"
            yield f"{where} ran because {changed} had changed, and no attempt before that change is there"


def _contradict_provenance(folder: EvidenceFolder, one: ProvedEvaluation) -> Iterator[str]:
    """What the provenance of an evaluation's attempts says otherwise than their records."""
    for records in (one.attempts, one.earlier):
        results = [record.result for record in records if ACCEPTED_FROM not in record.result.facts]
        for record in results:
            where = f"attempt {record.attempt} of {record.action[:19]}"
            before = [other for other in results if other.action == record.action and other.attempt < record.attempt]
            for text in _contradict(folder, one, record, before):
                yield f"{where}: {text}"


def read_provenance(
    folder: EvidenceFolder, one: ProvedEvaluation, record: ActionResult, name: str
) -> Mapping[str, Any]:
    """A file that says how an attempt was made; empty where the evidence has none, BadEvidence where it is damaged."""
    path = next((path for path, output in one.list_kept(record).items() if output.name == name), "")
    if not folder.has(path):
        return {}
    found = folder.read_json(path)
    if not isinstance(found, dict):
        raise BadEvidence(f"{path} is not what evalmake writes")
    return found


def _contradict(
    folder: EvidenceFolder, one: ProvedEvaluation, record: ActionResult, before: Sequence[ActionResult]
) -> Iterator[str]:
    try:
        attempt = read_provenance(folder, one, record, ATTEMPT)
        build = read_provenance(folder, one, record, BUILD)
    except BadEvidence as error:
        yield str(error)
        return
    if attempt:
        yield from _contradict_attempt(attempt, record, before)
    started = str(build.get("started") or "")
    ended, begun = read_time(record.finished), read_time(started)
    if ended and begun and ended + _CLOCK < begun:
        yield f"it ended before its build began, at {started}"


def _contradict_attempt(
    attempt: Mapping[str, Any], record: ActionResult, before: Sequence[ActionResult]
) -> Iterator[str]:
    executor = (attempt.get("executor") or {}).get("name")
    if executor != record.executor:
        yield f"its executor is {record.executor} on record, and {executor} by its provenance"
    for name, value in (attempt.get("facts") or {}).items():
        if record.facts.get(name) != value:
            yield f"{name} is {record.facts.get(name)} on record, and {value} by its provenance"
    tries = len(before) + (record.status != "succeeded")  # a failed one may name the retry that it was not granted
    if before or record.attempt == 1:
        if int(attempt.get("retry") or 0) > tries:
            yield f"it is retry {attempt['retry']} by its provenance, and there are {len(before)} attempts before it"
        for reason in attempt.get("reasons") or ():
            if problem := _contradict_reason(reason, before):
                yield problem


def _contradict_reason(reason: Mapping[str, Any], before: Sequence[ActionResult]) -> str:
    kind, subject = str(reason.get("kind")), str(reason.get("subject") or "")
    if kind in AFTER_AN_ATTEMPT and not before:
        return f"it ran because of an attempt before it ({kind}), and there is none"
    if kind in AFTER_A_FAILURE and not any(
        other.status == kind and other.detail[: len(subject)] == subject for other in before
    ):
        return f"it ran because an attempt before it {kind}, and none of those on record has that end"
    return ""
