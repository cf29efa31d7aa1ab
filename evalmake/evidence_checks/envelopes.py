"""Checks signatures and digests: who signed, and whether each file is what was signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from evalmake.evidence import layout
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder, SignedStatement
from evalmake.signatures.keys import PublicKey

_SHORT = 12


@dataclass(frozen=True, slots=True)
class SignedEvaluation:
    """An evaluation of evidence: its name and folder by the build's statement, and its own statement."""

    name: str
    folder: str
    statement: SignedStatement


def read_evaluations(
    folder: EvidenceFolder, build: SignedStatement, keys: Sequence[PublicKey], findings: Findings
) -> list[SignedEvaluation]:
    """Return the evaluations that the build names; what cannot be read is a finding."""
    found: list[SignedEvaluation] = []
    wrong: list[str] = []
    for entry in build.predicate.get("evaluations") or []:
        try:
            name, place = str(entry["name"]), str(entry["folder"])
            if not layout.is_plain_path(place):
                raise BadEvidence(f"{name}: `{place}` is no folder of the evidence")
            path = f"{place}/{layout.EVALUATION}"
            statement = folder.open_statement(path, layout.EVALUATION_TYPE, keys)
            if find_name(statement) != name:
                raise BadEvidence(f"{path} is the statement of another evaluation, {find_name(statement)}")
            if any(name == one.name or place == one.folder for one in found):
                raise BadEvidence(f"{build.name} names {name}, or its folder {place}, twice")
        except BadEvidence as error:
            wrong.append(str(error))
        except (TypeError, KeyError):
            wrong.append(f"{build.name} names an evaluation without a folder")
        else:
            found.append(SignedEvaluation(name, place, statement))
    if wrong:
        findings.fail("statements", wrong[0], *wrong[1:])
    return found


def check_signatures(statements: Sequence[SignedStatement], keys: Sequence[PublicKey], findings: Findings) -> None:
    """Every statement must be signed by every given key."""
    signed_by = {key_id for one in statements for key_id in one.envelope.signatures}
    if not keys:
        found = ", ".join(f"{key_id[:_SHORT]}" for key_id in sorted(signed_by)) or "nobody"
        findings.skip("signatures", f"not checked without a key: signed in the name of {found}", "give `--key PUB`")
        return
    wrong = [text for key in keys for text in _describe_missing(statements, key)]
    names = " and ".join(_describe_key(key) for key in keys)
    findings.judge("signatures", wrong, f"{count(len(statements), 'statement')}, signed by {names}")
    if more := signed_by - {key.key_id for key in keys}:
        ids = ", ".join(key_id[:_SHORT] for key_id in sorted(more))
        findings.leave_out("signatures", f"also signed by keys that were not given: {ids}")


def _describe_missing(statements: Sequence[SignedStatement], key: PublicKey) -> list[str]:
    """Which statements a key has not signed; one line where it has signed none of them."""
    wrong, unsigned = [], []
    for one in statements:
        if key.key_id in one.envelope.invalid:
            wrong.append(f"{one.name}: the signature by {_describe_key(key)} is not valid")
        elif key.key_id not in one.envelope.valid:
            unsigned.append(one)
    others = {key_id: None for one in unsigned for key_id in one.envelope.signatures}
    by = f"signed by {' and '.join(key_id[:_SHORT] for key_id in others)}" if others else "signed by nobody"
    if len(unsigned) == len(statements) > 1:
        return [f"none of the {len(statements)} statements is signed by {_describe_key(key)}: {by}"]
    return wrong + [f"{one.name} is not signed by {_describe_key(key)}: {by}" for one in unsigned]


def check_expiry(statement: SignedStatement, now: datetime, findings: Findings) -> None:
    """Whoever signed may say until when it counts."""
    expires = statement.predicate.get("expires")
    if expires is None:
        return
    try:
        moment = datetime.fromisoformat(str(expires))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        findings.fail("validity", f"`{expires}` is no time")
        return
    wrong = [f"it expired at {moment:%Y-%m-%d %H:%M} UTC"] if now >= moment else []
    findings.judge("validity", wrong, f"until {moment:%Y-%m-%d %H:%M} UTC")


def check_files(
    folder: EvidenceFolder, build: SignedStatement, evaluations: Sequence[SignedEvaluation], findings: Findings
) -> None:
    """Each file has the digest that was signed, none is missing, and there is no other."""
    wrong = [
        f"{name} is an empty folder, which evidence has none of"
        if name.endswith("/")
        else f"{name} is neither file nor folder"
        for name in folder.odd
    ]
    for name, digest in build.subject.items():
        if not folder.has(name):
            wrong.append(f"{name} is missing")
        elif folder.digest(name) != digest:
            wrong.append(f"{name} is not what was signed: sha256 {folder.digest(name)[:_SHORT]}, not {digest[:_SHORT]}")
    wrong += [f"{name} was not signed: it is not part of the evidence" for name in _find_strangers(folder, build)]
    for one in evaluations:
        for name, digest in one.statement.subject.items():
            if build.subject.get(name) != digest:
                wrong.append(f"{name}: the statements of build and evaluation name different digests")
    findings.judge("files", wrong, f"{count(len(build.subject), 'file')} as signed, and no other")


def _find_strangers(folder: EvidenceFolder, build: SignedStatement) -> list[str]:
    return [name for name in folder.files if name not in build.subject and name != layout.BUILD]


def find_name(statement: SignedStatement) -> str:
    """The evaluation that a statement is about."""
    try:
        return str(statement.predicate["buildDefinition"]["externalParameters"]["evaluation"])
    except (TypeError, KeyError):
        raise BadEvidence(f"{statement.name} names no evaluation") from None


def _describe_key(key: PublicKey) -> str:
    return f"{key.key_id[:_SHORT]} ({key.where})"
