"""Makes the signed statements again from what the folder holds, and names each field that says something else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from evalmake.evidence.material import EvaluationMaterial, EvidenceMaterial
from evalmake.evidence.statements import SampleSet, state_build, state_evaluation
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import EvidenceFolder, SignedStatement
from evalmake.evidence_checks.records import ProvedEvaluation

_SHOWN = 60  # characters of a value


def check_statements(
    folder: EvidenceFolder,
    build: SignedStatement,
    evaluations: Sequence[ProvedEvaluation],
    samples: Mapping[str, SampleSet],
    findings: Findings,
) -> None:
    """Compare all statements with the folder. `evaluations` are those that were proved, `samples` what they left."""
    redacted = _names(build.predicate.get("redacted"))
    version = find_version(build)
    made = [_remake(folder, one, samples.get(one.signed.name), bool(redacted), version, build) for one in evaluations]
    wrong = [
        f"{one.signed.name}: its statement says {text}"
        for one, statement in zip(evaluations, made, strict=True)
        for text in _compare_statements(one.signed.statement, statement)
    ]
    entries = build.predicate.get("evaluations") or []
    if len(entries) == len(evaluations):
        wrong += [f"the statement of the build says {text}" for text in _contradict_build(folder, build, evaluations)]
    wrong += _list_strangers(folder, build, evaluations, bool(redacted))
    message = f"{count(len(made) + 1, 'statement')} made again from the folder: the same fields"
    findings.judge("statements", wrong, message)


def find_version(build: SignedStatement) -> str:
    """The version of evalmake that a build says to be written by."""
    try:
        return str(build.predicate["runDetails"]["builder"]["version"]["evalmake"])
    except (KeyError, TypeError):
        return "unknown"


def material_of(one: ProvedEvaluation) -> EvaluationMaterial:
    """What the statement of an evaluation is made of."""
    parts = {digest: dict(part.pairs) for digest, part in one.parts.items()}
    return EvaluationMaterial(one.signed.name, one.attempts, one.counting, one.earlier, parts)


def _remake(
    folder: EvidenceFolder,
    one: ProvedEvaluation,
    samples: SampleSet | None,
    is_redacted: bool,
    version: str,
    build: SignedStatement,
) -> Mapping[str, Any]:
    place = one.signed.folder
    files = {name: folder.digest(name) for name in folder.files if name.startswith(f"{place}/")}
    files.pop(f"{place}/{layout.EVALUATION}", None)
    left_out = [output for output in one.outputs if not layout.is_shown(output.name, is_redacted)]
    expires = build.predicate.get("expires")
    return state_evaluation(material_of(one), files, samples, left_out, version, expires)


def _contradict_build(
    folder: EvidenceFolder, build: SignedStatement, evaluations: Sequence[ProvedEvaluation]
) -> Iterator[str]:
    """What the build's statement says otherwise than the folder and the statements of its evaluations."""
    stated = build.predicate
    definition = stated["buildDefinition"]
    material = EvidenceMaterial(
        report=str(definition["externalParameters"]["report"]),
        plan=str(definition["internalParameters"]["plan"]),
        version=find_version(build),
        reports={},
        write_sources=lambda place: None,
        evaluations=tuple(map(material_of, evaluations)),
        missing=tuple(stated["missing"]),
        gates=(),
        secret=b"",
        signers=(),
        write_output=lambda output, file: False,
    )
    files = {name: folder.digest(name) for name in folder.files if name != layout.BUILD}
    folders = [layout.folder_of(number, one.signed.name) for number, one in enumerate(evaluations, 1)]
    made = state_build(material, files, folders, _names(stated.get("redacted")), stated.get("expires"))
    made["predicate"]["gates"] = stated.get("gates")
    yield from _compare_statements(build, made)


def _list_strangers(
    folder: EvidenceFolder, build: SignedStatement, evaluations: Sequence[ProvedEvaluation], is_redacted: bool
) -> Iterator[str]:
    """Files that evalmake writes into no evidence, though they were signed."""
    known = {layout.BUILD, layout.INPUTS, *layout.REPORTS, layout.CRATE}
    entries = build.predicate.get("evaluations") or []
    if len(entries) != len(evaluations):  # of the others, nothing is known: `records` says why
        return
    for one in evaluations:
        known |= _list_files(one, is_redacted)
    for name in folder.files:
        if name not in known and not name.startswith(f"{layout.SOURCES}/"):
            yield f"{name} was signed, and is no file of evidence"


def _list_files(one: ProvedEvaluation, is_redacted: bool) -> set[str]:
    place = one.signed.folder
    files = {layout.EVALUATION, layout.RECORDS, layout.EARLIER, layout.IDENTITY}
    files |= {layout.REDACTED_SAMPLES} if is_redacted else set()
    records = (record.result for record in (*one.attempts, *one.earlier))
    return {f"{place}/{name}" for name in files} | {path for record in records for path in one.list_kept(record)}


def _compare_statements(stated: SignedStatement, made: Mapping[str, Any]) -> list[str]:
    """The fields of a signed statement that differ from those that were made."""
    subject = {one["name"]: one["digest"]["sha256"] for one in made["subject"]}
    made_predicate = _sort_lists(_plain(made["predicate"]))
    return [
        *_compare(dict(stated.subject), subject, "subject"),
        *_compare(_sort_lists(stated.predicate), made_predicate, ""),
    ]


def _sort_lists(predicate: Any) -> Any:
    """A predicate whose dependencies are sorted: the order of a walk is not kept."""
    definition = dict(predicate.get("buildDefinition") or {})
    found = definition.get("resolvedDependencies")
    if isinstance(found, list):
        definition["resolvedDependencies"] = sorted(found, key=to_canonical_json)
    return {**predicate, "buildDefinition": definition}


def _compare(stated: object, made: object, path: str) -> Iterator[str]:
    """Each path at which two JSON values differ, with both values."""
    if isinstance(stated, dict) and isinstance(made, dict):
        for key in sorted({*stated, *made}):
            place = f"{path}.{key}" if path else str(key)
            if key not in made:
                yield f"{place} = {_show(stated[key])}, which no evidence says"
            elif key not in stated:
                if made[key] is not None:  # earlier versions left out some keys that say nothing
                    yield f"nothing of {place}"
            else:
                yield from _compare(stated[key], made[key], place)
    elif isinstance(stated, list) and isinstance(made, list) and len(stated) == len(made):
        for number, (one, other) in enumerate(zip(stated, made, strict=True)):
            yield from _compare(one, other, f"{path}[{number}]")
    elif to_canonical_json(stated) != to_canonical_json(made):
        yield f"{path} = {_show(stated)}, and the folder gives {_show(made)}"


def _show(value: object) -> str:
    text = to_canonical_json(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _plain(value: object) -> Any:
    """A value as JSON gives it back."""
    return json.loads(to_canonical_json(value))


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Collection) and not isinstance(value, str) else ()
