"""The in-toto Statements that are signed: one of each evaluation, one of the build.

Their predicates have the shape of SLSA provenance, version 1: what was asked (`buildDefinition`), how it was made
(`runDetails`). Beside these stands what came of it. `evalmake help evidence` describes each key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from evalmake.evidence.material import EvaluationMaterial, EvidenceMaterial, StoredRecord
from evalmake.planner.action import ActionResult, Artifact


@dataclass(frozen=True, slots=True)
class SampleSet:
    """What a statement says of samples: how many, the root of their Merkle tree, and what was left out of them."""

    count: int
    merkle_root: str
    redacted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttemptEntry:
    """What a statement says of one attempt; `record` is the sha256 of its record as it is stored."""

    action: str
    attempt: int
    status: str
    started: str
    finished: str
    detail: str
    record: str

    @classmethod
    def of(cls, record: StoredRecord) -> AttemptEntry:
        """Return the entry of one record."""
        one, digest = record.result, sha256(record.text.encode("utf-8", "surrogatepass")).hexdigest()
        return cls(one.action, one.attempt, one.status, one.started, one.finished, one.detail, digest)


def state_evaluation(
    evaluation: EvaluationMaterial,
    files: Mapping[str, str],
    samples: SampleSet | None,
    left_out: Sequence[Artifact],
    version: str,
    expires: str | None,
) -> dict[str, Any]:
    """Return the statement of one evaluation. `files` are its subjects: path -> sha256."""
    record = evaluation.told
    predicate = {
        "buildDefinition": {
            "buildType": layout.EVALUATION_TYPE,
            "externalParameters": {"evaluation": evaluation.name},
            "internalParameters": {"action": record.action, "parts": dict(record.identity)},
            "resolvedDependencies": list(_list_dependencies(record.identity, evaluation.parts)),
        },
        "runDetails": {
            "builder": {"id": layout.BUILDER, "version": {"evalmake": version}},
            "metadata": {"invocationId": record.job, "startedOn": record.started, "finishedOn": record.finished},
            "byproducts": [{"name": one.name, "digest": {"sha256": one.sha256}} for one in left_out],
        },
        "result": evaluation.counting and {**state_result(evaluation.counting), "samples": state_samples(samples)},
        "attempts": [asdict(AttemptEntry.of(one)) for one in evaluation.attempts],
        "earlierAttempts": [asdict(AttemptEntry.of(one)) for one in evaluation.earlier],
        "expires": expires,
    }
    return _make_statement(layout.EVALUATION_TYPE, files, predicate)


def state_result(record: ActionResult) -> dict[str, Any]:
    """Return what a statement says of the attempt that counts."""
    return {
        "attempt": record.attempt,
        "metric": record.metric,
        "scores": [asdict(score) for score in record.scores],
        "usage": dict(record.usage),
        "facts": dict(record.facts),
    }


def state_samples(samples: SampleSet | None) -> dict[str, Any] | None:
    """Return what a statement says of samples."""
    return {**asdict(samples), "redacted": list(samples.redacted)} if samples else None


def state_build(
    material: EvidenceMaterial,
    files: Mapping[str, str],
    folders: Sequence[str],
    redacted: Sequence[str],
    expires: str | None,
) -> dict[str, Any]:
    """Return the statement of the build. `folders` are those of the evaluations."""
    records = [evaluation.told for evaluation in material.evaluations]
    sources = {name: digest for name, digest in files.items() if name.startswith(f"{layout.SOURCES}/")}
    predicate = {
        "buildDefinition": {
            "buildType": layout.BUILD_TYPE,
            "externalParameters": {"report": material.report},
            "internalParameters": {"plan": material.plan},
            "resolvedDependencies": [{"name": n, "digest": {"sha256": digest}} for n, digest in sources.items()],
        },
        "runDetails": {
            "builder": {"id": layout.BUILDER, "version": {"evalmake": material.version}},
            "metadata": {
                "invocationId": material.plan,
                "startedOn": min((record.started for record in records), default=""),
                "finishedOn": max((record.finished for record in records), default=""),
            },
        },
        "version": layout.VERSION,
        "evaluations": [
            {"name": one.name, "folder": folder, "action": one.told.action, "attempt": _find_attempt(one)}
            for folder, one in zip(folders, material.evaluations, strict=True)
        ],
        "missing": list(material.missing),
        "gates": [{"address": gate.address, "met": gate.met, "message": gate.message} for gate in material.gates],
        "redacted": list(redacted),
        "expires": expires,
    }
    return _make_statement(layout.BUILD_TYPE, files, predicate)


def _find_attempt(evaluation: EvaluationMaterial) -> int | None:
    return evaluation.counting.attempt if evaluation.counting else None


def to_payload(statement: Mapping[str, Any]) -> bytes:
    """Return the bytes of a statement that are signed."""
    return to_canonical_json(statement)


def _make_statement(kind: str, files: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())]
    return {"_type": layout.STATEMENT_TYPE, "subject": subject, "predicateType": kind, "predicate": predicate}


def _list_dependencies(
    identity: Mapping[str, str], walks: Mapping[str, Mapping[str, str]]
) -> Iterable[dict[str, object]]:
    """Files, images and digests that the identity names."""
    for part, digest in sorted(identity.items()):
        for path, text in walks[digest].items():
            value = text.partition(":")[2] or text
            _, found, hexdigest = value.rpartition("sha256:")
            whole = hexdigest if found else text
            if len(whole) == 64 and not set(whole) - set("0123456789abcdef"):
                name = f"{part}.{path}" if part else path
                yield {"name": name.removesuffix(".sha256"), "digest": {"sha256": whole}}
