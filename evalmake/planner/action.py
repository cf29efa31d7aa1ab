"""An action is a piece of work with a digest of all its inputs. An action result is the record of one attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.planner.digest import Part, digest
from evalmake.scoring.score import Score


@dataclass(frozen=True, slots=True)
class Action:
    """The identity of an evaluation or a server: its parts, and the digests of what it needs.

    Actions share their parts: a model is walked once, not once a cell, so a thousand cells cost a thousand
    short hashes. Names, executors and timeouts do not belong to the identity.
    """

    kind: str
    parts: tuple[tuple[str, Part], ...]
    needs: tuple[str, ...] = ()
    digest: str = field(default="", compare=False)

    @classmethod
    def of(cls, kind: str, parts: Mapping[str, Part], needs: tuple[str, ...] = ()) -> Action:
        """Return the action of these parts, with its digest."""
        named = tuple(sorted(parts.items()))
        return cls(kind, named, needs, digest_of_action(kind, {name: part.digest for name, part in named}, needs))


def digest_of_action(kind: str, parts: Mapping[str, str], needs: tuple[str, ...] = ()) -> str:
    """The digest of an action whose parts have these digests."""
    return digest([("kind", kind), *sorted(parts.items()), *(("needs", need) for need in needs)])


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored output of an action: its name, and the sha256 and size of its content."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The record of one attempt. Records are appended, never replaced. Times are ISO 8601 in UTC."""

    action: str
    name: str
    attempt: int
    status: str  # succeeded | failed | cancelled
    identity: Mapping[str, str]  # part -> digest of its walk; the store has the walk
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
    previous: str = ""  # sha256 of the record of the attempt before it, as it is stored
    cause_kind: str = ""  # a CauseKind, where `detail` says why samples have no score
