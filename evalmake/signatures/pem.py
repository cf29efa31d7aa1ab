"""The text around a key: finds the one PEM block in it, and says in plain words what is there instead."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from pathlib import Path
from typing import NamedTuple

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.regular_file import check_regular

PRIVATE, PUBLIC = "private", "public"
_LABELS = {PRIVATE: "PRIVATE KEY", PUBLIC: "PUBLIC KEY"}
_MAX_BYTES = 1 << 16
_MAKE = ["make a key pair: `evalmake key new NAME`"]
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_HELP = {
    PRIVATE: ["make a key pair: `evalmake key new NAME`; NAME.key is the private key"],
    PUBLIC: ["make a key pair: `evalmake key new NAME`; NAME.pub is the public key, for those who verify"],
}


class KeyText(NamedTuple):
    """The text of a key, and the words for where it stands: `audit.key`, or "the secret `AUDIT_KEY`"."""

    text: str
    where: str


def read_key_text(path: Path) -> str:
    """The text of a small file; EvalmakeError if it cannot be the file of a key."""
    try:
        check_regular(path)
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise make_error("bad-key", f"cannot read the key {path}: {error.strerror}", help=_MAKE) from None
    if len(data) > _MAX_BYTES:
        raise make_error("bad-key", f"{path} is no key: it is larger than {_MAX_BYTES >> 10} kB", help=_MAKE)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise make_error("bad-key", f"{path} is no key: it is not UTF-8 text", help=_MAKE) from None


def decode_pem(key: KeyText, kind: str) -> bytes:
    """The bytes of a PEM block; EvalmakeError with the code `bad-key` if it is not one of this kind.

    Lines may be joined, by spaces or by the two characters `\\n`: so the secrets of some services keep them.
    """
    text = key.text.replace("\\n", "\n").strip()
    label = _LABELS[kind]
    match = re.fullmatch(rf"-----BEGIN {label}-----([A-Za-z0-9+/=\s]+)-----END {label}-----", text)
    if not match:
        raise bad_key(key.where, kind, _describe(text, kind))
    try:
        return b64decode("".join(match[1].split()), validate=True)
    except Error:
        raise bad_key(key.where, kind, "its base64 text is damaged") from None


def is_public(text: str) -> bool:
    """Whether a text is meant to be a public key, if it is a key at all."""
    return text.lstrip().startswith((f"-----BEGIN {_LABELS[PUBLIC]}-----", "ssh-", "ecdsa-sha2-", "sk-ssh-"))


def bad_key(where: str, kind: str, what: str) -> EvalmakeError:
    """The error for a key that cannot be used."""
    return make_error("bad-key", f"{where} is no {kind} key that evalmake can use", notes=[what], help=_HELP[kind])


def _describe(text: str, kind: str) -> str:
    """What a text is that is not a key of this kind."""
    labels = _BEGIN.findall(text)
    if not text:
        return "it is empty"
    if text.startswith(("ssh-", "ecdsa-sha2-", "sk-ssh-")) or labels[:1] == ["OPENSSH PRIVATE KEY"]:
        return "it is an OpenSSH key, and evalmake reads PEM as `evalmake key new` writes it"
    if not labels:
        return "it has no line `-----BEGIN ... KEY-----`"
    if len(labels) > 1:
        return f"it holds {len(labels)} PEM blocks, where one key belongs"
    (label,) = labels
    if "ENCRYPTED" in text:
        return "it is encrypted, and evalmake asks for no password; keep a key without one in a secret"
    if label == _LABELS[kind]:
        return "its PEM block is damaged"
    if label == _LABELS[PUBLIC]:
        return "it is a public key: it verifies, and cannot sign"
    if label == _LABELS[PRIVATE]:
        return "it is a private key: give only its public key to those who verify"
    names = {"RSA": "an RSA key", "EC": "an ECDSA key", "DSA": "a DSA key", "CERTIFICATE": "a certificate"}
    return f"it is {names.get(label.split()[0], f'something else ({label.lower()})')}, and not an ed25519 key"
