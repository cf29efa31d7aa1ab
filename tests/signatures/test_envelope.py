"""Envelopes: other programs verify what evalmake seals, and evalmake opens nothing but what it would have written."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from evalmake.signatures.envelope import BadEnvelope, add_signatures, encode_for_signature, open_envelope, seal_envelope
from evalmake.signatures.keys import read_private_key
from tests.support.keys import pem_of

KIND = "application/vnd.in-toto+json"
PAYLOADS = (b"", b"{}", b"hello world", bytes(range(256)), "ä\n".encode())
SIGNERS = [read_private_key(pem_of(seed)[0], f"key {seed}") for seed in (1, 2, 3)]
KEYS = [signer.public_key() for signer in SIGNERS]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_an_envelope_comes_back(payload: bytes) -> None:
    """Payload and type come back, and each key's signature is sorted by whether it is known."""
    data = seal_envelope(KIND, payload, SIGNERS[:2])
    found = open_envelope(data, KEYS[1:])
    assert (found.payload, found.payload_type) == (payload, KIND)
    assert found.valid == (KEYS[1].key_id,)
    assert found.unknown == (KEYS[0].key_id,)
    assert found.invalid == ()
    assert open_envelope(data, []).valid == ()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_securesystemslib_verifies_it(payload: bytes) -> None:
    """Its own class reads the file, and finds the signatures of both keys."""
    envelope = dsse.Envelope.from_dict(json.loads(seal_envelope(KIND, payload, SIGNERS[:2])))
    keys = [SSlibKey.from_crypto(load_pem_public_key(pem_of(seed)[1].encode())) for seed in (1, 2, 3)]
    assert set(envelope.verify(list(keys[:2]), 2)) == {key.key_id for key in KEYS[:2]}
    assert envelope.payload == payload
    with pytest.raises(VerificationError):
        envelope.verify([keys[2]], 1)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_verifier_written_from_the_specification_verifies_it(payload: bytes) -> None:
    """As cosign does: the raw bytes of the encoding, an ed25519 signature in base64."""
    content = json.loads(seal_envelope(KIND, payload, SIGNERS[:1]))
    signed = b" ".join(
        [b"DSSEv1", str(len(KIND)).encode(), KIND.encode(), str(len(payload)).encode(), b64decode(content["payload"])]
    )
    key: Any = load_pem_public_key(pem_of(1)[1].encode())
    key.verify(b64decode(content["signatures"][0]["sig"]), signed)
    with pytest.raises(InvalidSignature):
        key.verify(b64decode(content["signatures"][0]["sig"]), payload)


def test_the_encoding_is_that_of_the_specification() -> None:
    """The example of the DSSE protocol gives its bytes."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert encode_for_signature("http://example.com/HelloWorld", b"hello world") == expected


def test_the_same_content_has_the_same_bytes() -> None:
    """Neither the order of the keys, nor one given twice, nor when it signs changes an envelope."""
    data = seal_envelope(KIND, b"{}", SIGNERS)
    assert seal_envelope(KIND, b"{}", [*reversed(SIGNERS), SIGNERS[0]]) == data
    assert add_signatures(seal_envelope(KIND, b"{}", SIGNERS[:1]), SIGNERS[1:]) == data
    assert add_signatures(data, SIGNERS) == data
    assert data == json.dumps(json.loads(data), separators=(",", ":")).encode() + b"\n"


def test_a_changed_byte_is_seen() -> None:
    """Whichever byte of an envelope changes, it is refused, or no signature of the changed text is valid."""
    data = seal_envelope(KIND, b'{"a": 1}', SIGNERS[:1])
    for position in range(len(data)):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        try:
            assert open_envelope(changed, KEYS).valid == ()
        except BadEnvelope:
            continue


def signatures(change: Callable[[list[Any]], object]) -> Callable[[Any], object]:
    """A change of the signatures alone."""
    return lambda content: change(content["signatures"])


def _swap_ids(found: list[Any]) -> None:
    found[0]["keyid"], found[1]["keyid"] = found[1]["keyid"], found[0]["keyid"]


CHANGES: dict[str, Callable[[Any], object]] = {
    "has not": lambda content: content.update(more=1),
    "and this has not": lambda content: content.pop("payloadType"),
    "no signatures": lambda content: content.update(signatures=[]),
    "not base64": lambda content: content.update(payload="a b="),
    "`payload` is not base64": lambda content: content.update(payload=5),
    "no media type": lambda content: content.update(payloadType="a b"),
    "is no media type": lambda content: content.update(payloadType=""),
    "not canonical": lambda content: content.update(payload=urlsafe_b64encode(b"\xff\xfe").decode().rstrip("=") + "=="),
    "signed twice": signatures(lambda found: found.append(found[0])),
    "another key made it": signatures(lambda found: found[0].update(keyid="0" * 64)),
    "not the id": signatures(lambda found: found[0].update(keyid="0" * 63)),
    "is not the id": signatures(lambda found: found[0].update(keyid=found[0]["keyid"].upper())),
    "`keyid` is not": signatures(lambda found: found[0].update(keyid=None)),
    "has 63 bytes": signatures(lambda found: found[0].update(sig=b64encode(bytes(63)).decode())),
    "a signature has the keys": signatures(lambda found: found[0].update(cert="x")),
    "is not canonical": signatures(lambda found: found.reverse()),
}


@pytest.mark.parametrize(("words", "change"), CHANGES.items())
def test_what_evalmake_would_not_write_is_refused(words: str, change: Callable[[Any], object]) -> None:
    """The content of a file that is changed is refused, and it is said why."""
    content = json.loads(seal_envelope(KIND, b"\xff\xfe", SIGNERS))
    change(content)
    text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    with pytest.raises(BadEnvelope, match=words) if words != "not canonical" else pytest.raises(BadEnvelope):
        open_envelope(text, KEYS)


def test_exchanged_ids_are_seen() -> None:
    """Two signatures with each other's ids are invalid, both."""
    content = json.loads(seal_envelope(KIND, b"{}", SIGNERS[:2]))
    _swap_ids(content["signatures"])
    content["signatures"].reverse()
    text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    assert open_envelope(text, KEYS).invalid == tuple(sorted(key.key_id for key in KEYS[:2]))


def test_other_writings_of_the_same_content_are_refused() -> None:
    """Spaces, another order of keys, a key twice, a byte order mark, more text, unpadded base64: each is refused."""
    data = seal_envelope(KIND, b"a", SIGNERS[:1])
    content = json.loads(data)
    others = (
        json.dumps(content).encode() + b"\n",
        json.dumps(content, indent=1).encode() + b"\n",
        json.dumps(dict(reversed(content.items())), separators=(",", ":")).encode() + b"\n",
        data[:-1],
        data + b"\n",
        data[:-1] + b" \n",
        data + data,
        b"\xef\xbb\xbf" + data,
        data.replace(b'{"payload"', b'{"payload":"","payload"', 1),
        data.replace(b"YQ==", b"YQ"),
        data.replace(b"YQ==", b"YR=="),
        data.replace(b"YQ==", b"YQ==\\n"),
        data.replace(b"YQ==", b"\\u0059Q=="),
        data.replace(b"/", b"\\/", 1),
    )
    for other in others:
        assert other != data
        with pytest.raises(BadEnvelope):
            open_envelope(other, KEYS)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"3", b"{", b"[" * 100_000, b"\xff", b'{"payload": NaN}'])
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    """Any other bytes end in BadEnvelope and in no other exception."""
    with pytest.raises(BadEnvelope):
        open_envelope(data, KEYS)
