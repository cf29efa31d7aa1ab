"""A folder of evidence from somebody else: what is in it, and the statements that say so."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import read_json_strictly, to_canonical_json
from evalmake.signatures.envelope import BadEnvelope, Envelope, open_envelope
from evalmake.signatures.keys import PublicKey

LARGEST = 1 << 28
"""Bytes of a file that is read as a whole."""
_MOST_FILES, _MOST_LEVELS = 1_000_000, 50


class BadEvidence(ValueError):
    """A file that is not what a folder of evidence has there; the text says which, and what is wrong."""


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement with the envelope that it came in."""

    name: str
    envelope: Envelope
    subject: Mapping[str, str]
    """Path from the folder -> sha256."""
    predicate: Mapping[str, Any]


@dataclass(slots=True)
class EvidenceFolder:
    """Reads a folder, which nobody vouches for: no link is followed, and no file is larger than it may be."""

    path: Path
    files: dict[str, int] = field(default_factory=dict)
    """Every plain file by its path: its size in bytes."""
    odd: list[str] = field(default_factory=list)
    """Links, devices, pipes and empty folders, which end in a slash."""
    _digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> EvidenceFolder:
        """List a folder; OSError where it cannot be read, BadEvidence where it is too large or too deep."""
        found, folders = cls(path), [""]
        while folders:
            folders += found._list(folders.pop())
        return found

    def _list(self, prefix: str) -> list[str]:
        """Note what lies in a folder; return the folders in it."""
        folders, before = [], len(self.files) + len(self.odd)
        with os.scandir(self.path / prefix) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                name = f"{prefix}{entry.name}"
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    folders.append(f"{name}/")
                elif stat.S_ISREG(status.st_mode):
                    self.files[name] = status.st_size
                else:
                    self.odd.append(name)
        if prefix and not folders and len(self.files) + len(self.odd) == before:
            self.odd.append(prefix)
        if len(self.files) + len(self.odd) > _MOST_FILES:
            raise BadEvidence(f"it has more than {_MOST_FILES} files")
        if prefix.count("/") > _MOST_LEVELS:
            raise BadEvidence(f"its folders are nested more than {_MOST_LEVELS} deep")
        return folders

    def has(self, name: str) -> bool:
        """Whether there is a plain file of this name."""
        return name in self.files

    def read(self, name: str) -> bytes:
        """Return a file's bytes; BadEvidence where it is missing or too large."""
        if name not in self.files:
            raise BadEvidence(f"{name} is missing")
        if self.files[name] > LARGEST:
            raise BadEvidence(f"{name} is too large to be read: {self.files[name] >> 20} MiB")
        return (self.path / name).read_bytes()

    def read_json(self, name: str) -> Any:
        """Return the value in a file; BadEvidence where it is no JSON."""
        try:
            return read_json_strictly(self.read(name))
        except ValueError as error:
            raise BadEvidence(str(error) if isinstance(error, BadEvidence) else f"{name}: {error}") from None

    def digest(self, name: str) -> str:
        """Return the sha256 of a file; empty where it is missing."""
        if name not in self.files:
            return ""
        if name not in self._digests:
            with (self.path / name).open("rb") as file:
                self._digests[name] = file_digest(file, "sha256").hexdigest()
        return self._digests[name]

    def open_statement(self, name: str, kind: str, keys: Sequence[PublicKey]) -> SignedStatement:
        """Return the statement in a file; BadEvidence where it is none of this kind."""
        return read_statement(name, self.read(name), kind, keys)


def read_statement(name: str, data: bytes, kind: str, keys: Sequence[PublicKey]) -> SignedStatement:
    """Return the statement in an envelope's bytes; BadEvidence where it is none of this kind."""
    try:
        envelope = open_envelope(data, keys)
        statement = read_json_strictly(envelope.payload)
    except BadEnvelope as error:
        raise BadEvidence(f"{name} is no envelope: {error}") from None
    except ValueError as error:
        raise BadEvidence(f"{name}: its payload is no JSON: {error}") from None
    if envelope.payload_type != layout.PAYLOAD_TYPE or to_canonical_json(statement) != envelope.payload:
        raise BadEvidence(f"{name}: its payload is no statement as evalmake writes it")
    try:
        if statement["_type"] != layout.STATEMENT_TYPE or statement["predicateType"] != kind:
            raise BadEvidence(f"{name} is a statement of another type: {statement['predicateType']}")
        subject = {str(one["name"]): str(one["digest"]["sha256"]) for one in statement["subject"]}
        predicate = statement["predicate"]
        if not isinstance(predicate, dict) or len(subject) != len(statement["subject"]):
            raise TypeError
    except (TypeError, KeyError):
        raise BadEvidence(f"{name} is no in-toto statement") from None
    return SignedStatement(name, envelope, subject, predicate)
