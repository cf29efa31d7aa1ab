"""One sample of evidence, shown with its texts and proved, without the others.

A disclosure is a JSON file: the signed statement of the evaluation, the sample as its job wrote it, the salts of the
fields that the evidence leaves out, and the path in the Merkle tree from the sample to the root that was signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalmake.evidence.canonical_json import digest_value
from evalmake.evidence.merkle_tree import prove_leaf, root_of_path
from evalmake.evidence.samples import SampleLeaf

VERSION = 1
_KEYS = frozenset(
    ("format", "version", "envelope", "index", "count", "shown", "hidden", "keys", "sample", "salts", "path")
)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A sample with its proof. `envelope` is the text of the evaluation's signed statement."""

    envelope: str
    leaf: SampleLeaf
    count: int
    sample: Mapping[str, Any]
    salts: Mapping[str, str]
    path: tuple[str, ...]

    @classmethod
    def of(
        cls,
        envelope: str,
        leaves: Sequence[SampleLeaf],
        index: int,
        sample: Mapping[str, Any],
        salts: Mapping[str, str],
    ) -> Disclosure:
        """Return the disclosure of one of the leaves."""
        path = prove_leaf([leaf.hash() for leaf in leaves], index)
        return cls(envelope, leaves[index], len(leaves), sample, salts, tuple(step.hex() for step in path))

    @property
    def root(self) -> str:
        """The root that the leaf's path leads to; empty where it leads nowhere."""
        steps = [bytes.fromhex(step) for step in self.path]
        root = root_of_path(self.leaf.hash(), self.leaf.index, self.count, steps)
        return root.hex() if root else ""

    def find_changes(self) -> list[str]:
        """Return the fields of the sample that are not what the leaf commits to."""
        leaf, names = self.leaf, {*self.sample, *self.leaf.shown, *self.leaf.hidden}
        return sorted(name for name in names if not self._is_proved(name, leaf))

    def _is_proved(self, name: str, leaf: SampleLeaf) -> bool:
        if name not in self.sample:
            return False
        if name in leaf.shown:
            return bool(digest_value(leaf.shown[name]) == digest_value(self.sample[name]))
        return leaf.hidden.get(name) == digest_value([name, self.sample[name], self.salts.get(name, "")])

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        leaf = self.leaf
        return {
            "format": "evalmake-disclosure",
            "version": VERSION,
            "envelope": self.envelope,
            "index": leaf.index,
            "count": self.count,
            "shown": dict(leaf.shown),
            "hidden": dict(leaf.hidden),
            "keys": dict(leaf.keys),
            "sample": dict(self.sample),
            "salts": dict(self.salts),
            "path": list(self.path),
        }

    @classmethod
    def from_json(cls, content: Any) -> Disclosure:
        """Return the disclosure in a file; ValueError where it is none."""
        try:
            if (content["format"], content["version"]) != ("evalmake-disclosure", VERSION):
                raise ValueError("it is of another version")
            if unknown := sorted(content.keys() - _KEYS):
                raise ValueError(f"it says more than a disclosure: `{unknown[0]}`")
            maps = {key: dict(content[key]) for key in ("shown", "hidden", "keys", "sample", "salts")}
            if not all(type(content[key]) is int for key in ("index", "count")):
                raise ValueError("its place is no whole number")
            if not all(type(content[key]) is dict for key in maps):
                raise ValueError("it is no disclosure")
            leaf = SampleLeaf(content["index"], maps["shown"], maps["hidden"], maps["keys"])
            path = tuple(bytes.fromhex(step).hex() for step in content["path"])
            if list(path) != content["path"]:
                raise ValueError("its path is not as evalmake writes it")
            if lone := sorted(maps["salts"].keys() - maps["hidden"].keys()):
                raise ValueError(f"it has a salt for `{lone[0]}`, which is not left out")
            return cls(str(content["envelope"]), leaf, content["count"], maps["sample"], maps["salts"], path)
        except (TypeError, KeyError, AttributeError):
            raise ValueError("it is no disclosure") from None
