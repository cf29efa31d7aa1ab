"""Makes disclosures from evidence and the store, and verifies them by a key alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import read_json_strictly
from evalmake.evidence.disclosure import Disclosure
from evalmake.evidence.samples import (
    Redaction,
    SampleLeaf,
    name_attempt,
    read_fields,
    read_leaves,
    root_of,
    split_lines,
)
from evalmake.evidence_checks.envelopes import (
    SignedEvaluation,
    check_expiry,
    check_signatures,
    find_name,
    read_evaluations,
)
from evalmake.evidence_checks.findings import Findings
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder, read_statement
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.signatures.keys import PublicKey
from evalmake.store.secret import read_secret
from evalmake.store.store import Store


def disclose_samples(
    path: Path, id: str, evaluation: str, open_store: Callable[[], AbstractContextManager[Store]]
) -> list[Disclosure]:
    """Return the disclosures of the samples with an id: one of each evaluation that has it, or of `evaluation` alone.

    The store is opened where the evidence has no texts. BadEvidence where one of them does not have what is needed.
    """
    folder, findings = EvidenceFolder.open(path), Findings()
    build = folder.open_statement(layout.BUILD, layout.BUILD_TYPE, [])
    evaluations = read_evaluations(folder, build, [], findings)
    chosen = [one for one in evaluations if evaluation in ("", one.name)]
    if not chosen:
        names = ", ".join(one.name for one in evaluations[:5])
        raise BadEvidence(f"there is no evaluation `{evaluation}`: it has {names or 'none'}")
    try:
        found = [disclosure for one in chosen for disclosure in _disclose(folder, one, id, open_store)]
    except (TypeError, LookupError, AttributeError) as error:
        raise BadEvidence(f"its statements do not have the form of evidence: {type(error).__name__}: {error}") from None
    if not found:
        raise BadEvidence(f"no sample has the id `{id}`")
    return found


def verify_disclosure(
    data: bytes, name: str, keys: Sequence[PublicKey], findings: Findings, now: datetime | None = None
) -> Mapping[str, Any]:
    """Check one sample: who signed its evaluation, its place among the samples, its fields. Return the fields."""
    try:
        value = read_json_strictly(data)
    except ValueError:
        findings.fail("sample", f"{name} is neither a folder of evidence nor a sample that `evalmake disclose` wrote")
        return {}
    try:
        disclosure = Disclosure.from_json(value)
        statement = read_statement(name, disclosure.envelope.encode(), layout.EVALUATION_TYPE, keys)
        stated = statement.predicate["result"]["samples"]
        root, count, evaluation = str(stated["merkle_root"]), int(stated["count"]), find_name(statement)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        findings.fail("sample", f"{name} is no disclosure of a sample: {error}")
        return {}
    check_signatures([statement], keys, findings)
    check_expiry(statement, now or datetime.now(UTC), findings)
    place = f"sample {disclosure.leaf.index + 1} of {count} of {evaluation}"
    wrong = [] if (disclosure.root, disclosure.count) == (root, count) else ["its path leads to another Merkle root"]
    findings.judge("place", wrong, f"{place}, by the Merkle root that was signed")
    changed = [f"`{field}` is not what was signed" for field in disclosure.find_changes()]
    findings.judge("texts", changed, f"{len(disclosure.sample)} fields as they were signed")
    return disclosure.sample


def _disclose(
    folder: EvidenceFolder, one: SignedEvaluation, id: str, open_store: Callable[[], AbstractContextManager[Store]]
) -> list[Disclosure]:
    samples = (one.statement.predicate["result"] or {}).get("samples")
    if samples is None:
        return []
    name = f"{one.folder}/{layout.OUTPUTS}/{SAMPLES}"
    redaction = None
    if folder.has(name):
        data = folder.read(name)
        leaves = read_leaves(data)
    else:
        action = one.statement.predicate["buildDefinition"]["internalParameters"]["action"]
        attempt = one.statement.predicate["result"]["attempt"]
        with open_store() as store:
            data, secret = _read_from_store(one, store), read_secret(store)
        for salted in (name_attempt(action, attempt), action):  # earlier versions had one salt for all attempts
            redaction = Redaction(tuple(samples["redacted"]), secret, salted)
            leaves = redaction.redact(data)
            if root_of(leaves) == samples["merkle_root"]:
                break
    if root_of(leaves) != samples["merkle_root"]:
        raise BadEvidence(f"{one.name}: the samples in the store are not those of the evidence")
    envelope = folder.read(f"{one.folder}/{layout.EVALUATION}").decode()
    return [_make(envelope, leaves, line, redaction) for line in _find_lines(data, id)]


def _make(
    envelope: str, leaves: Sequence[SampleLeaf], line: tuple[int, bytes], redaction: Redaction | None
) -> Disclosure:
    index, row = line[0], read_fields(line[1])
    salts = redaction.salts_of(index, row) if redaction else {}
    return Disclosure.of(envelope, leaves, index, row, salts)


def _read_from_store(one: SignedEvaluation, store: Store) -> bytes:
    byproducts = one.statement.predicate["runDetails"]["byproducts"]
    digest = next((entry["digest"]["sha256"] for entry in byproducts if entry["name"] == SAMPLES), "")
    data = store.blob(digest)
    if data is None:
        raise BadEvidence(
            f"{one.name}: the store has no samples of it; say with `-f` which Evalfile the evidence is of"
        )
    return data


def _find_lines(data: bytes, id: str) -> list[tuple[int, bytes]]:
    return [(index, line) for index, line in enumerate(split_lines(data)) if str(read_fields(line).get("id")) == id]
