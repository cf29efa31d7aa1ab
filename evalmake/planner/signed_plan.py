"""Signatures of a saved plan: `plan.json.sig.json` beside `plan.json` is a DSSE envelope of its very bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.regular_file import read_regular
from evalmake.language.write_errors import advise_on_write_error
from evalmake.planner.saved_plan import MAX_BYTES
from evalmake.signatures.envelope import BadEnvelope, Envelope, add_signatures, open_envelope, seal_envelope
from evalmake.signatures.keys import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.evalmake.plan+json"


def find_signature_file(plan: Path) -> Path:
    """The file of a plan's signatures."""
    return plan.with_name(plan.name + ".sig.json")


def sign_plan(plan: Path, data: bytes, signers: Sequence[Signer]) -> tuple[str, ...]:
    """Sign the bytes of a plan, and return the ids of all keys that have now signed them.

    Signatures of the same bytes stay. Those of an earlier plan of this name go, as they say nothing about this one.
    """
    path = find_signature_file(plan)
    before = _read_envelope(path)
    try:
        found = open_envelope(before, [])
        others = before if (found.payload, found.payload_type) == (data, PAYLOAD_TYPE) else b""
    except BadEnvelope as error:
        if before:
            raise _bad_signature(f"{path} is no signature of a plan", [str(error)], path) from None
        others = b""
    sealed = add_signatures(others, signers) if others else seal_envelope(PAYLOAD_TYPE, data, signers)
    try:
        write_atomic(path, sealed)
    except OSError as error:
        message = f"cannot write the signature {path}: {error.strerror}"
        raise make_error("bad-signature", message, help=advise_on_write_error(error.errno)) from None
    return tuple(open_envelope(sealed, []).signatures)


def check_signatures(plan: Path, data: bytes, keys: Sequence[PublicKey]) -> tuple[str, ...]:
    """Return the ids of `keys`, all of which have signed the bytes of a plan; EvalmakeError if any has not."""
    path = find_signature_file(plan)
    sealed = _read_envelope(path)
    if not sealed:
        raise _not_signed(plan, f"{plan} is not signed", [f"there is no {path}"])
    try:
        found = open_envelope(sealed, keys)
    except BadEnvelope as error:
        raise _bad_signature(f"{path} is no signature of a plan", [str(error)], path) from None
    if found.payload_type != PAYLOAD_TYPE:
        notes = [f"it holds `{found.payload_type}`, and not `{PAYLOAD_TYPE}`"]
        raise _bad_signature(f"{path} is no signature of a plan", notes, path)
    if found.payload != data:
        raise _not_signed(plan, f"{plan} is not what was signed", ["it has changed since, or was saved again"])
    missing = [note for key in keys if (note := _describe_missing(found, key))]
    if missing:
        raise _not_signed(plan, f"{plan} is not signed by every key that must have signed it", missing)
    return tuple(dict.fromkeys(key.key_id for key in keys))


def _describe_missing(found: Envelope, key: PublicKey) -> str:
    """Why a key has not signed; empty if it has."""
    if key.key_id in found.valid:
        return ""
    if key.key_id in found.invalid:
        return f"{key.where} ({key.key_id}): its signature is invalid"
    others = f"; signed by {', '.join(found.signatures)}" if found.signatures else ""
    return f"{key.where} ({key.key_id}) has not signed it{others}"


def _read_envelope(path: Path) -> bytes:
    """The bytes of a signature file; empty if there is none."""
    try:
        return read_regular(path, 2 * MAX_BYTES)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _bad_signature(f"cannot read the signature {path}: {error.strerror}", [], path) from None


def _not_signed(plan: Path, message: str, notes: Sequence[str]) -> EvalmakeError:
    help = [f"read the plan; if it is what you want, sign it: evalmake key sign {plan} --key FILE.key"]
    return make_error("bad-signature", message, notes=notes, help=help)


def _bad_signature(message: str, notes: Sequence[str], path: Path) -> EvalmakeError:
    help = [f"restore {path}, or remove it and have the plan signed again: evalmake key sign"]
    return make_error("bad-signature", message, notes=notes, help=help)
