"""Ed25519 keys as PEM: a private key is PKCS #8 without a password, a public key is SubjectPublicKeyInfo.

A key's id is the one that securesystemslib gives it. The libraries are imported when a key is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from evalmake.signatures.pem import PRIVATE, PUBLIC, KeyText, bad_key, decode_pem, is_public, read_key_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "ed25519"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies signatures; `where` says where it was read."""

    key_id: str
    where: str = field(compare=False)
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether the private key of this one has signed `data`."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs. Its `repr` shows no key."""

    key_id: str
    where: str = field(compare=False)
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`: always the same one for the same bytes."""
        return self._key.sign(data)

    def public_key(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return PublicKey(self.key_id, self.where, self._key.public_key())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key cannot be pickled")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key as two PEM texts."""

    key_id: str
    private: str = field(repr=False)
    public: str


def make_key_pair() -> KeyPair:
    """Make a new key pair from the system's randomness."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(_find_key_id(key.public_key()), private.decode(), public.decode())


def read_private_key(text: str, where: str) -> Signer:
    """The private key in a PEM text, which stands at `where`; EvalmakeError with the code `bad-key` if it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    der = decode_pem(KeyText(text, where), PRIVATE)
    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise bad_key(where, PRIVATE, "what it holds is not a private key, or it is damaged") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise bad_key(where, PRIVATE, _describe_algorithm(key))
    return Signer(_find_key_id(key.public_key()), where, key)


def parse_public_key(text: str, where: str) -> PublicKey:
    """The public key in a PEM text, which stands at `where`; EvalmakeError with the code `bad-key` if it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    der = decode_pem(KeyText(text, where), PUBLIC)
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise bad_key(where, PUBLIC, "what it holds is not a public key, or it is damaged") from None
    if not isinstance(key, Ed25519PublicKey):
        raise bad_key(where, PUBLIC, _describe_algorithm(key))
    return PublicKey(_find_key_id(key), where, key)


def read_private_key_file(path: Path) -> Signer:
    """The private key in a file; EvalmakeError with the code `bad-key` where it is none."""
    return read_private_key(read_key_text(path), str(path))


def read_public_key(path: Path) -> PublicKey:
    """The public key in a file; EvalmakeError with the code `bad-key` where it is none."""
    return parse_public_key(read_key_text(path), str(path))


def parse_key(text: str, where: str) -> tuple[str, str]:
    """Whether the key in a PEM text is private or public, and its id; EvalmakeError for what is no key."""
    if is_public(text):
        return PUBLIC, parse_public_key(text, where).key_id
    return PRIVATE, read_private_key(text, where).key_id


def _find_key_id(key: Ed25519PublicKey) -> str:
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(key).keyid


def _describe_algorithm(key: object) -> str:
    names = {"RSA": "an RSA key", "EllipticCurve": "an ECDSA key", "EC": "an ECDSA key", "DSA": "a DSA key"}
    found = type(key).__name__.removeprefix("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    return f"it is {names.get(found, f'a key of another kind ({found})')}, and evalmake signs with {ALGORITHM} alone"
