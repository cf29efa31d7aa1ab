"""Keys for tests: those of evalmake, and those of other kinds, which it refuses."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


def pem_of(seed: int) -> tuple[str, str]:
    """A private and a public key: the same ones for the same number."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return _private(key), _public(key)


def _private(
    key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def _public(key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def foreign_private_keys() -> dict[str, str]:
    """Texts that are no private key of evalmake's, by the words with which it says so."""
    ed, good, public = Ed25519PrivateKey.from_private_bytes(bytes(32)), *pem_of(1)
    big, curve = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    return {
        "it is empty": "",
        "an RSA key, and evalmake": _private(big),
        "an RSA key, and not": _private(big, PrivateFormat.TraditionalOpenSSL),
        "an ECDSA key, and evalmake": _private(curve),
        "an ECDSA key, and not": _private(curve, PrivateFormat.TraditionalOpenSSL),
        "it is encrypted": _private(ed, encryption=BestAvailableEncryption(b"word")),
        "OpenSSH": _private(ed, PrivateFormat.OpenSSH),
        "it is a public key": public,
        "2 PEM blocks": good + good,
        "no line `-----BEGIN": "not a key at all",
        "damaged": good.replace("M", "!", 1),
        "or it is damaged": good.replace("\nM", "\nN"),
    }


def foreign_public_keys() -> dict[str, str]:
    """Texts that are no public key of evalmake's, by the words with which it says so."""
    ed, (private, good) = Ed25519PrivateKey.from_private_bytes(bytes(32)), pem_of(1)
    ssh = ed.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return {
        "it is empty": "\n",
        "an RSA key, and evalmake": _public(rsa.generate_private_key(65537, 2048)),
        "an ECDSA key, and evalmake": _public(ec.generate_private_key(ec.SECP256R1())),
        "OpenSSH": ssh,
        "it is a private key": private,
        "2 PEM blocks": good + good,
        "a certificate": good.replace("PUBLIC KEY", "CERTIFICATE"),
        "damaged": good.replace("-----END", "=-----END"),
    }
