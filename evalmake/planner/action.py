"""What is to be done, hashed whole; and what was done, one record an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.planner.digest import Part, digest
from evalmake.scoring.score import Score


@dataclass(frozen=True, slots=True)
class Action:
    """An evaluation's or a server's identity: its parts, and the digests of what it needs.

    A part is shared by every action that has it (a model's is walked once, not once a cell), so a
    thousand cells cost a thousand short hashes. Names, places and limits of patience are no part.
    """

    kind: str
    parts: tuple[tuple[str, Part], ...]
    needs: tuple[str, ...] = ()
    digest: str = field(default="", compare=False)

    @classmethod
    def of(cls, kind: str, parts: Mapping[str, Part], needs: tuple[str, ...] = ()) -> Action:
        """The action of these parts, its digest computed."""
        named = tuple(sorted(parts.items()))
        pairs = [("kind", kind), *[(name, part.digest) for name, part in named]]
        pairs += [("needs", need) for need in needs]
        return cls(kind, named, needs, digest(pairs))


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored output: its name among the action's outputs, its content's sha256 and size."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ActionResult:
    """One attempt; records are appended, never replaced. Times are ISO 8601 in UTC."""

    action: str
    name: str
    attempt: int
    status: str  # succeeded | failed | cancelled
    identity: Mapping[str, str]  # part -> digest of its walk, which the store keeps
    outputs: tuple[Artifact, ...]
    scores: tuple[Score, ...]
    metric: str
    usage: Mapping[str, float]
    started: str
    finished: str
    seconds: float
    executor: str
    job: str
    detail: str = ""
    log: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
