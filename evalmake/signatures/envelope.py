"""DSSE envelopes: a payload, its type and signatures, in one file of canonical bytes.

What is signed is the pre-authentication encoding of <https://github.com/secure-systems-lab/dsse>. The file is JSON
without spaces, its keys in order, its signatures in the order of their keys, with a line break at its end; texts of
base64 are in the standard alphabet. So an envelope of the same content has the same bytes, and nothing else is opened.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.json_file import parse_json
from evalmake.signatures.keys import PublicKey, Signer

_KEY_ID = re.compile(r"[0-9a-f]{64}")
_PAYLOAD_TYPE = re.compile(r"[!-~]{1,200}")
_SIGNATURE_BYTES = 64


class BadEnvelope(ValueError):
    """The bytes are no envelope as evalmake writes it; the text says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened envelope. The ids of the keys that have signed it are sorted into three tuples:

    `valid` by a given key, `invalid` in the name of a given key, and `unknown` by a key that was not given.
    """

    payload: bytes
    payload_type: str
    valid: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    signatures: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def seal_envelope(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """The bytes of an envelope's file. The same payload and keys give the same bytes; a key signs once."""
    signed = encode_for_signature(payload_type, payload)
    return _render(payload_type, payload, {signer.key_id: signer.sign(signed) for signer in signers})


def add_signatures(data: bytes, signers: Sequence[Signer]) -> bytes:
    """The envelope in `data` with more signatures; BadEnvelope if it is none."""
    found = open_envelope(data, [])
    signed = encode_for_signature(found.payload_type, found.payload)
    added = {signer.key_id: signer.sign(signed) for signer in signers}
    return _render(found.payload_type, found.payload, {**found.signatures, **added})


def open_envelope(data: bytes, keys: Sequence[PublicKey]) -> Envelope:
    """Read an envelope and verify its signatures; BadEnvelope for bytes that `seal_envelope` would not write."""
    found = _parse(data)
    signed = encode_for_signature(found.payload_type, found.payload)
    known = {key.key_id: key for key in keys}
    valid, invalid, unknown = [], [], []
    for key_id, signature in found.signatures.items():
        if key_id not in known:
            if any(key.verify(signature, signed) for key in keys):
                raise BadEnvelope(f"a signature names the key {key_id}, and another key made it")
            unknown.append(key_id)
        elif known[key_id].verify(signature, signed):
            valid.append(key_id)
        else:
            invalid.append(key_id)
    return Envelope(found.payload, found.payload_type, tuple(valid), tuple(invalid), tuple(unknown), found.signatures)


def encode_for_signature(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _render(payload_type: str, payload: bytes, signatures: Mapping[str, bytes]) -> bytes:
    signed = [{"keyid": key_id, "sig": _encode(signatures[key_id])} for key_id in sorted(signatures)]
    content = {"payload": _encode(payload), "payloadType": payload_type, "signatures": signed}
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _parse(data: bytes) -> Envelope:
    """The content of an envelope whose signatures nobody has verified yet."""
    try:
        content = parse_json(data)
    except ValueError as error:
        raise BadEnvelope(f"it is not JSON: {error}") from None
    _check_keys(content, {"payload", "payloadType", "signatures"}, "an envelope")
    payload_type, entries = content["payloadType"], content["signatures"]
    if not isinstance(payload_type, str) or not _PAYLOAD_TYPE.fullmatch(payload_type):
        raise BadEnvelope("its `payloadType` is no media type")
    if not isinstance(entries, list) or not entries:
        raise BadEnvelope("it has no signatures")
    signatures = _read_signatures(entries)
    found = Envelope(_decode(content["payload"], "payload"), payload_type, signatures=signatures)
    if _render(payload_type, found.payload, signatures) != data:
        raise BadEnvelope("its text is not canonical: somebody has written it anew")
    return found


def _read_signatures(entries: Iterable[Any]) -> dict[str, bytes]:
    signatures: dict[str, bytes] = {}
    for entry in entries:
        _check_keys(entry, {"keyid", "sig"}, "a signature")
        key_id, signature = entry["keyid"], _decode(entry["sig"], "sig")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise BadEnvelope("a `keyid` is not the id of a key")
        if key_id in signatures:
            raise BadEnvelope(f"the key {key_id} has signed twice")
        if len(signature) != _SIGNATURE_BYTES:
            raise BadEnvelope(f"a `sig` has {len(signature)} bytes, and a signature has {_SIGNATURE_BYTES}")
        signatures[key_id] = signature
    return signatures


def _check_keys(value: Any, keys: set[str], what: str) -> None:
    if not isinstance(value, dict) or set(value) != keys:
        raise BadEnvelope(f"{what} has the keys {', '.join(sorted(keys))}, and this has not")


def _encode(data: bytes) -> str:
    return b64encode(data).decode()


def _decode(text: Any, key: str) -> bytes:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else _refuse(key)
    except ValueError:
        return _refuse(key)


def _refuse(key: str) -> bytes:
    raise BadEnvelope(f"its `{key}` is not base64")
