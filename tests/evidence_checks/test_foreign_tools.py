"""Envelopes and statements are what others read: securesystemslib, in-toto, whoever has an ed25519 library."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from tests.evidence_checks.conftest import Made

FILES = ("evidence/build.json", "evidence/evaluations/0001-grid-1/evaluation.json", "expiring/build.json")


@pytest.fixture(params=FILES)
def envelope(made: Made, request: pytest.FixtureRequest) -> Path:
    """The file of one envelope."""
    return Path(made.bench.root / request.param)


def read_key(made: Made, name: str) -> Ed25519PublicKey:
    """The public key, read by `cryptography` alone."""
    key = load_pem_public_key((made.bench.root / f"{name}.pub").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    return key


def test_securesystemslib_verifies_envelopes(made: Made, envelope: Path) -> None:
    """securesystemslib reads the envelope, and verifies it by the same key and key id."""
    content = json.loads(envelope.read_text())
    key = SSlibKey.from_crypto(read_key(made, "audit"))
    assert key.keyid == made.keys["audit"].key_id
    assert Envelope.from_dict(content).verify([key], 1)


def test_signatures_are_of_the_public_specification(made: Made, envelope: Path) -> None:
    """Each signature is plain ed25519 over DSSE's encoding, here written from its specification, as cosign has it."""
    content = json.loads(envelope.read_text())
    payload, kind = base64.b64decode(content["payload"], validate=True), content["payloadType"]
    encoded = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    keys = {made.keys[name].key_id: read_key(made, name) for name in ("audit", "second")}
    for signature in content["signatures"]:
        keys[signature["keyid"]].verify(base64.b64decode(signature["sig"], validate=True), encoded)
    assert kind == "application/vnd.in-toto+json"


def test_statements_are_of_in_totos_schema(envelope: Path) -> None:
    """in-toto's own library parses the statement by its schema, and finds it valid."""
    payload = base64.b64decode(json.loads(envelope.read_text())["payload"])
    parsed = json_format.Parse(payload, statement_pb2.Statement())
    statement = Statement.copy_from_pb(parsed)
    statement.validate()
    assert parsed.predicate_type.startswith("urn:evalmake:")
    assert all(len(subject.digest["sha256"]) == 64 for subject in parsed.subject)
