"""Action and last record to a verdict: fresh, or stale with every reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from evalmake.planner.action import Action
from evalmake.planner.digest import Change, find_changes
from evalmake.scoring.score import Score


@dataclass(frozen=True, slots=True)
class ActionHistory:
    """What is known of an action: its last success, and its last attempt."""

    action: str
    attempts: int
    last: str  # status of the last attempt: succeeded | failed | cancelled
    detail: str
    success: int | None  # number of the last successful attempt
    blobs: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    metric: str = ""
    started: str = ""
    finished: str = ""
    seconds: float = 0.0
    usage: Mapping[str, float] = field(default_factory=dict)
    accepted: str = ""


class Records(Protocol):
    """What deciding needs of the store."""

    def history(self, action: str) -> ActionHistory | None:
        """What is known of an action."""

    def baseline(self, name: str) -> Mapping[str, str] | None:
        """The parts (name -> digest) of the result that was last valid for a target.

        Of a target that never succeeded, the parts of its last attempt; None where it was never tried.
        """

    def part(self, digest: str) -> Mapping[str, str] | None:
        """The walk of a part."""

    def find_damage(self, head: ActionHistory) -> str | None:
        """The first of its outputs that is missing or bad."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something must run."""

    kind: str  # never-run changed upstream output-missing failed cancelled forced too-old
    subject: str
    before: str | None = None
    now: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A target and its verdict; without reasons it is fresh and `head` holds its result."""

    name: str
    action: Action
    head: ActionHistory | None
    reasons: tuple[Reason, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether it must run."""
        return bool(self.reasons)


def decide_staleness(
    name: str,
    action: Action,
    records: Records,
    forced: bool,
    max_age: float | None,
    age: Callable[[str], float],
) -> Decision:
    """The verdict on one target; `age` is how many seconds ago an ISO time was."""
    head = records.history(action.digest)
    if forced:
        return Decision(name, action, head, (Reason("forced", "-B adds an attempt"),))
    if head is not None and head.success is not None:
        broken = records.find_damage(head)
        if broken:
            return Decision(name, action, head, (Reason("output-missing", broken),))
        if max_age is not None and age(head.finished) > max_age:
            return Decision(name, action, head, (Reason("too-old", "max_age", head.finished),))
        return Decision(name, action, head)
    if head is not None:
        return Decision(name, action, head, (Reason(head.last, head.detail),))
    return Decision(name, action, None, _changes(name, action, records))


def _changes(name: str, action: Action, records: Records) -> tuple[Reason, ...]:
    before = records.baseline(name)
    if before is None:
        return (Reason("never-run", ""),)
    found = find_part_changes(before, action, records)
    if not found:
        return (Reason("never-run", ""),)
    return tuple(Reason("changed", d.path, d.before, d.now) for d in found)


def find_part_changes(before: Mapping[str, str], action: Action, records: Records) -> list[Change]:
    """What changed since an identity of these parts; only parts that differ are looked into."""
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    parts = dict(action.parts)
    for name in sorted({*before, *parts}):
        part = parts.get(name)
        if part is not None and before.get(name) == part.digest:
            continue
        old |= _prefixed(name, records.part(before[name]) or {} if name in before else {})
        new |= _prefixed(name, dict(part.pairs) if part else {})
    return find_changes(old, new)


def _prefixed(name: str, pairs: Mapping[str, str]) -> dict[str, str]:
    if not name:
        return {path or "(all)": text for path, text in pairs.items()}
    return {f"{name}.{path}" if path else name: text for path, text in pairs.items()}
