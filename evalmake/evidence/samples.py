"""Samples in evidence: each is one leaf of a Merkle tree, and its texts may be left out.

A leaf is the canonical JSON of `{"index": I, "shown": {NAME: DIGEST}, "hidden": {NAME: DIGEST}, "keys": {KIND: KEY}}`.
`I` counts lines from 0. The digest of a field is the sha256 of the canonical JSON of `[NAME, VALUE]`. A field that is
left out is hidden, and has the digest of `[NAME, VALUE, SALT]`: without its salt, nobody can guess a short text by its
digest. A line that is no JSON object has one field, `line`, with its text. Keys stand for what is compared between
evaluations (item, question, reply) where it is left out.

Salts and keys are HMAC-SHA256 by a secret of the store.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.evidence.canonical_json import digest_value, read_json_strictly, to_canonical_json
from evalmake.evidence.merkle_tree import compute_root, hash_leaf
from evalmake.scoring.sample_counts import QUESTION_KEY, REPLY_KEY, digest_question

LINE = "line"
"""The field of a line that is no JSON object."""
REDACTABLE = ("prompt", "target", "reply")
_NUMBERS = (
    *("id", "index", "scores", "cluster", "repetition", "tokens_in", "tokens_out", "latency"),
    *("finish_reason", "cause_kind", "weight", "tags", "similarities"),
)
"""Fields that hold no text of a question, or that group samples: they stay, whatever is left out."""
_FIELDS_OF = {"reply": ("reply", "answer", "tool_calls", "message", "turns"), "target": ("target",)}
"""What else may stay: other fields hold the prompt, or quote it. Which those are is the harness's affair."""


@dataclass(frozen=True, slots=True)
class SampleLeaf:
    """One line of samples: the fields that are shown, the digests of those that are not, and keys in their place."""

    index: int
    shown: Mapping[str, Any]
    hidden: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def hash(self) -> bytes:
        """Return the hash of the leaf."""
        shown = {name: digest_value([name, value]) for name, value in self.shown.items()}
        leaf = {"index": self.index, "shown": shown, "hidden": dict(self.hidden), "keys": dict(self.keys)}
        return hash_leaf(to_canonical_json(leaf))

    def to_line(self) -> bytes:
        """Return the line of `samples.redacted.jsonl`."""
        return to_canonical_json({name: getattr(self, name) for name in _PARTS}) + b"\n"

    def to_row(self) -> dict[str, Any]:
        """Return a sample for whoever aggregates scores: its texts are missing, and keys stand for their digests."""
        return {**self.shown, **self.keys}


_PARTS = ("index", "shown", "hidden", "keys")


def read_redacted(data: bytes) -> list[SampleLeaf]:
    """Return the leaves of `samples.redacted.jsonl`; ValueError where it is not what `to_line` writes."""
    leaves = []
    for number, line in enumerate(split_lines(data)):
        row = read_json_strictly(line)
        if (
            not isinstance(row, dict)
            or set(row) != {*_PARTS}
            or not all(type(row[name]) is dict for name in _PARTS[1:])
        ):
            raise ValueError(f"line {number + 1} is no redacted sample")
        leaf = SampleLeaf(**row)
        if leaf.to_line() != line + b"\n" or leaf.index != number:
            raise ValueError(f"line {number + 1} is not as evalmake writes it, or not in its place")
        leaves.append(leaf)
    return leaves


def split_lines(data: bytes) -> list[bytes]:
    """Return the lines of a file of samples; an end without a line break counts as a line."""
    lines = data.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def read_fields(line: bytes) -> dict[str, Any]:
    """Return the fields of one line."""
    try:
        row = read_json_strictly(line)
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {LINE: line.decode("utf-8", "backslashreplace")}


def read_leaves(data: bytes) -> list[SampleLeaf]:
    """Return the leaves of samples that are shown whole."""
    return [SampleLeaf(index, read_fields(line)) for index, line in enumerate(split_lines(data))]


def root_of(leaves: Sequence[SampleLeaf]) -> str:
    """Return the root of the samples as hex."""
    return compute_root([leaf.hash() for leaf in leaves]).hex()


# Leaving out ----------------------------------------------------------------------------------------


def is_field_shown(name: str, redacted: Collection[str]) -> bool:
    """Whether a field of a sample stays where `redacted`, some of REDACTABLE, are left out."""
    texts = [fields for kind, fields in _FIELDS_OF.items() if kind not in redacted]
    return name in _NUMBERS or any(name in fields for fields in texts)


def name_attempt(action: str, number: int) -> str:
    """Return what the salts of an attempt are made of."""
    return f"{action}/{number}"


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is left out of the samples of one attempt. `key` is secret; `names` are of REDACTABLE."""

    names: Collection[str]
    key: bytes
    attempt: str
    """No two attempts have the same, so that a salt that was disclosed helps to guess nothing of another attempt."""

    def redact(self, data: bytes) -> list[SampleLeaf]:
        """Return the leaves of samples without the texts."""
        return [self._redact_line(index, line) for index, line in enumerate(split_lines(data))]

    def salts_of(self, index: int, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the salts of those fields of a sample that are left out."""
        hidden = [name for name in row if not is_field_shown(name, self.names)]
        return {name: self._hmac("salt", self.attempt, str(index), name) for name in hidden}

    def _redact_line(self, index: int, line: bytes) -> SampleLeaf:
        row = read_fields(line)
        shown = {name: value for name, value in row.items() if is_field_shown(name, self.names)}
        salts = self.salts_of(index, row)
        hidden = {name: digest_value([name, row[name], salt]) for name, salt in salts.items()}
        return SampleLeaf(index, shown, hidden, {} if LINE in row else self._keys_of(row))

    def _keys_of(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Equal for equal texts of all evaluations of the store, and no help to guess one."""
        texts = {"item": row.get("item"), QUESTION_KEY: digest_question(row)}
        texts |= {REPLY_KEY: row.get("reply")} if "reply" in self.names else {}
        return {kind: self._hmac(kind, str(text))[:16] for kind, text in texts.items() if text is not None}

    def _hmac(self, *words: str) -> str:
        return hmac.digest(self.key, "\0".join(words).encode("utf-8", "surrogatepass"), "sha256").hex()
