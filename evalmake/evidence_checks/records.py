"""Checks attempts: each record names the one before it and the identity that it ran with; the statement names all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import read_json_strictly
from evalmake.evidence.material import StoredRecord
from evalmake.evidence.statements import AttemptEntry, state_result
from evalmake.evidence_checks.attempts import check_chain, contradict_attempts, contradict_earlier, list_doubts
from evalmake.evidence_checks.envelopes import SignedEvaluation, read_evaluations
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.planner.action import Action, ActionResult, Artifact
from evalmake.planner.digest import Part, digest
from evalmake.store.acceptance import ACCEPTED_BECAUSE, ACCEPTED_FROM
from evalmake.store.origin import USER
from evalmake.store.records import record_from_text, record_to_text

_SHORT = 19


@dataclass(frozen=True, slots=True)
class ProvedEvaluation:
    """An evaluation whose records are whole: its attempts, the one that counts, and the parts of its identities."""

    signed: SignedEvaluation
    attempts: tuple[StoredRecord, ...]
    earlier: tuple[StoredRecord, ...]
    counting: ActionResult | None
    parts: Mapping[str, Part]

    @property
    def action(self) -> Action:
        """The action of the evaluation, with its identity."""
        last = self.attempts[-1].result
        named = sorted((name, self.parts[part]) for name, part in last.identity.items())
        return Action("evaluate", tuple(named), (), last.action)

    def list_kept(self, record: ActionResult) -> dict[str, Artifact]:
        """The outputs of an attempt that evidence may hold, by their paths in it."""
        folder = self.signed.folder
        if record == self.counting:
            return {layout.output_path(folder, one.name): one for one in record.outputs}
        own = [one for one in record.outputs if one.name in layout.PROVENANCE]
        return {layout.attempt_path(folder, record.action, record.attempt, one.name): one for one in own}

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """What the attempt that counts left."""
        return self.counting.outputs if self.counting else ()


def check_records(
    folder: EvidenceFolder, evaluations: Sequence[SignedEvaluation], build: Mapping[str, Any], findings: Findings
) -> list[ProvedEvaluation]:
    """Check all records; return the evaluations whose records are whole."""
    wrong: list[str] = []
    proved = []
    expected = {entry.get("name"): entry for entry in build.get("evaluations") or [] if isinstance(entry, dict)}
    for one in evaluations:
        try:
            found = _prove(folder, one)
        except BadEvidence as error:
            wrong.append(f"{one.name}: {error}")
            continue
        entry = expected[one.name]
        attempt = found.counting.attempt if found.counting else None
        if (entry.get("action"), entry.get("attempt")) != (found.action.digest, attempt):
            wrong.append(f"{one.name}: the statement of the build names another attempt")
        found_wrong = [*_contradict_statement(found), *_contradict_outputs(folder, found)]
        found_wrong += contradict_earlier(found.earlier)
        found_wrong += contradict_attempts([*found.attempts, *found.earlier])
        if not build.get("redacted"):
            found_wrong += _list_withheld(found)
        wrong += [f"{one.name}: {text}" for text in found_wrong]
        proved.append(found)
    records = [record.result for one in proved for record in (*one.attempts, *one.earlier)]
    attempts = [record for record in records if ACCEPTED_FROM not in record.facts]
    failed = sum(attempt.status != "succeeded" for attempt in attempts)
    lost = f", {failed} of them failed or cancelled" if failed else ", all succeeded"
    findings.judge("records", wrong, f"{count(len(attempts), 'attempt')} of {count(len(proved), 'evaluation')}{lost}")
    if doubts := [f"{one.signed.name}: {text}" for one in proved for text in list_doubts(one.attempts, one.earlier)]:
        findings.skip("records", "not all can be proved by the record after it", *doubts)
    _tell_acceptances(proved, findings)
    return proved


def read_proved(folder: EvidenceFolder) -> list[ProvedEvaluation]:
    """The evaluations whose records are whole, without saying what is wrong: `verify` says that."""
    build = folder.open_statement(layout.BUILD, layout.BUILD_TYPE, [])
    return check_records(folder, read_evaluations(folder, build, [], Findings()), build.predicate, Findings())


def read_build(folder: EvidenceFolder) -> Mapping[str, Any]:
    """What the statement of the build says, whoever signed it."""
    return folder.open_statement(layout.BUILD, layout.BUILD_TYPE, []).predicate


def describe_acceptance(one: ProvedEvaluation) -> str:
    """Who accepted the result of an evaluation for another definition, and why; empty where nobody did."""
    facts = one.counting.facts if one.counting else {}
    if ACCEPTED_FROM not in facts:
        return ""
    who, why = facts.get(USER, "somebody"), facts.get(ACCEPTED_BECAUSE, "")
    return f"was measured by another definition; {who} accepted it because: {why}"


def _tell_acceptances(proved: Sequence[ProvedEvaluation], findings: Findings) -> None:
    """A result that somebody accepted was measured by another definition: no plan proves that it may count."""
    if told := [f"{one.signed.name} {text}" for one in proved if (text := describe_acceptance(one))]:
        findings.skip("accepted", f"{count(len(told), 'result')} that a person let count", *told)


def _prove(folder: EvidenceFolder, one: SignedEvaluation) -> ProvedEvaluation:
    parts = _read_parts(folder, f"{one.folder}/{layout.IDENTITY}")
    attempts = _read_records(folder, f"{one.folder}/{layout.RECORDS}")
    earlier_file = f"{one.folder}/{layout.EARLIER}"
    earlier = _read_records(folder, earlier_file) if folder.has(earlier_file) else []
    check_chain(attempts)
    for record in (*attempts, *earlier):
        _check_identity(record.result, parts)
    if more := parts.keys() - {part for record in (*attempts, *earlier) for part in record.result.identity.values()}:
        raise BadEvidence(f"{layout.IDENTITY} has the part {min(more)[:_SHORT]}, with which no attempt ran")
    counting = None
    if result := one.statement.predicate["result"]:
        number = result.get("attempt")
        counting = next((record.result for record in attempts if record.result.attempt == number), None)
        if counting is None or counting.status != "succeeded":
            raise BadEvidence(f"attempt {number}, which counts, is not among its records, or has not succeeded")
    return ProvedEvaluation(one, tuple(attempts), tuple(earlier), counting, parts)


def _read_records(folder: EvidenceFolder, name: str) -> list[StoredRecord]:
    """Return the records in a file; BadEvidence where a line is not one as the store writes it."""
    found = []
    try:
        lines = folder.read(name).decode("utf-8", "surrogatepass").split("\n")
    except UnicodeDecodeError:
        raise BadEvidence(f"{name} is no text") from None
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = read_json_strictly(line.encode("utf-8", "surrogatepass"))
            result = record_from_text(row["action"], row["attempt"], line)
            record_to_text(result).encode()  # a store keeps no half of a character
            found.append(StoredRecord(result, line))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            why = f": {error}" if isinstance(error, ValueError) else ""
            raise BadEvidence(f"line {number} of {name} is no record{why}") from None
    if lines[-1] or not found:
        raise BadEvidence(f"{name} is cut off" if lines[-1] else f"{name} is empty")
    return found


def _read_parts(folder: EvidenceFolder, name: str) -> dict[str, Part]:
    """Return the parts of identities, each of which must have the digest that it stands under."""
    found = {}
    try:
        for stated, walk in folder.read_json(name).items():
            pairs = tuple((str(path), str(text)) for path, text in walk.items())
            if digest(pairs) != stated:
                pairs = tuple(sorted(pairs))
            found[stated] = Part(pairs, digest(pairs))
    except (AttributeError, TypeError):
        raise BadEvidence(f"{name} has no walks") from None
    if wrong := [stated for stated, part in found.items() if part.digest != stated]:
        raise BadEvidence(f"{name}: the part {wrong[0][:_SHORT]} is not what its digest says")
    return found


def _check_identity(record: ActionResult, parts: Mapping[str, Part]) -> None:
    """The digests of the parts that a record names make up its action."""
    where = f"attempt {record.attempt} of {record.action[:_SHORT]}"
    if lost := [name for name, part in record.identity.items() if part not in parts]:
        raise BadEvidence(f"{where}: its identity lacks the part `{lost[0] or 'cell'}`")
    if Action.of("evaluate", {name: parts[part] for name, part in record.identity.items()}).digest != record.action:
        raise BadEvidence(f"{where}: its identity is that of another action")


def _contradict_outputs(folder: EvidenceFolder, one: ProvedEvaluation) -> list[str]:
    """The outputs that are not those of the record that counts: each is in the folder, or left out by its digest."""
    prefix = f"{one.signed.folder}/{layout.OUTPUTS}/"
    there = {name.removeprefix(prefix): folder.digest(name) for name in folder.files if name.startswith(prefix)}
    byproducts = one.signed.statement.predicate["runDetails"]["byproducts"]
    left_out = {str(entry["name"]): str(entry["digest"]["sha256"]) for entry in byproducts}
    told, recorded = {**left_out, **there}, {output.name: output.sha256 for output in one.outputs}
    kept = {
        path: output.sha256
        for record in (*one.attempts, *one.earlier)
        for path, output in one.list_kept(record.result).items()
    }
    wrong = [
        f"{name} is not the one on record"
        for name in folder.files
        if name.startswith(f"{one.signed.folder}/{layout.ATTEMPTS}/") and kept.get(name) != folder.digest(name)
    ]
    return wrong + [
        f"its output {name} is not the one on record"
        for name in sorted({*told, *recorded})
        if told.get(name) != recorded.get(name) or (name in there and name in left_out)
    ]


def _list_withheld(one: ProvedEvaluation) -> list[str]:
    """Outputs that are left out of evidence that says to hold all texts; a name that no file can have is a reason."""
    names = [str(entry["name"]) for entry in one.signed.statement.predicate["runDetails"]["byproducts"]]
    return [f"its output {name} is left out, and nothing is said to be" for name in names if layout.is_plain_path(name)]


def _contradict_statement(one: ProvedEvaluation) -> list[str]:
    """What the signed statement says otherwise than the records."""
    predicate, wrong = one.signed.statement.predicate, []
    for key, records in (("attempts", one.attempts), ("earlierAttempts", one.earlier)):
        stated = predicate.get(key) or []
        made = [asdict(AttemptEntry.of(record)) for record in records]
        if stated != made:
            wrong.append(f"{count(len(stated), 'attempt')} signed, and {len(made)} in the folder, or other ones")
    result = predicate["result"]
    if one.counting and result != {**state_result(one.counting), "samples": result.get("samples")}:
        wrong.append("the scores that were signed are not those of its record")
    return wrong
