"""Decide whether a target is up to date, or stale and why, from its action and the records of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from evalmake.planner.action import Action
from evalmake.planner.digest import BEHAVIOURS, Change, find_changes
from evalmake.planner.graph import Node
from evalmake.planner.stored_replies import StoredReplies
from evalmake.scoring.demands import Demands, Shortfall, find_shortfall
from evalmake.scoring.score import Score
from evalmake.scoring.unscored_causes import UNKNOWN_CAUSE, Cause


@dataclass(frozen=True, slots=True)
class ActionHistory:
    """The records of an action: its last attempt, and its last success."""

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
    rerun: float | None = None
    """Set while a rerun of the result is wanted: the oldest cached reply that it may use, in seconds since the epoch.

    A success ends it, and so does its withdrawal. Until then, the result on record counts for nothing.
    """
    record: str = ""  # sha256 of the record of the last attempt, as it is stored
    cause_kind: str = ""  # a CauseKind, where `detail` says why samples have no score


Histories = Mapping[str, ActionHistory | None]
"""A cell's name -> what is on record of it."""


class Records(Protocol):
    """The records that a decision reads from the store."""

    def history(self, action: str) -> ActionHistory | None:
        """Return the history of an action, or None if it never ran."""

    def baseline(self, name: str) -> Mapping[str, str] | None:
        """Return the parts (name -> digest) of the last valid result of a target.

        For a target that never succeeded, return the parts of its last attempt; without an attempt, None.
        """

    def part(self, digest: str) -> Mapping[str, str] | None:
        """Return the walk of a part."""

    def damage(self, action: str) -> str:
        """Return why the result of an action was dropped as damaged; empty if it was not."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason why a target must run."""

    kind: str  # never-run changed upstream output-missing failed cancelled forced rerun too-old fell-short
    subject: str
    before: str | None = None
    now: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a target. Without reasons the target is up to date, and `head` holds its result.

    With `replies`, a run scores these again. `asks` says why it cannot, where only what scores has changed.
    """

    name: str
    action: Action
    head: ActionHistory | None
    reasons: tuple[Reason, ...] = ()
    replies: StoredReplies | None = None
    asks: str = ""

    @property
    def stale(self) -> bool:
        """Whether the target must run."""
        return bool(self.reasons)

    @property
    def awaits_rerun(self) -> bool:
        """Whether there is a result that does not count, because a rerun of it was wanted and has not succeeded."""
        return self.head is not None and self.head.rerun is not None


def decide_staleness(
    name: str,
    action: Action,
    records: Records,
    forced: bool,
    max_age: float | None,
    age: Callable[[str], float],
    demands: Demands,
) -> Decision:
    """Return the decision on one target. `age` returns how many seconds ago an ISO time was."""
    head = records.history(action.digest)
    if forced:
        return Decision(name, action, head, (Reason("forced", "-B adds an attempt"),))
    if head is not None and (broken := records.damage(action.digest)):
        return Decision(name, action, head, (Reason("output-missing", broken),))
    if head is not None and head.success is not None:
        if head.rerun is not None:
            return Decision(name, action, head, (Reason("rerun", describe_rerun(head)),))
        if max_age is not None and age(head.finished) > max_age:
            return Decision(name, action, head, (Reason("too-old", "max_age", head.finished),))
        if shortfall := find_record_shortfall(demands, head):
            return Decision(name, action, head, (Reason("fell-short", shortfall.reason),))
        return Decision(name, action, head)
    if head is not None:
        return Decision(name, action, head, (Reason(head.last, head.detail),))
    return Decision(name, action, None, _find_reasons(name, action, records))


def describe_rerun(head: ActionHistory) -> str:
    """How the rerun went that is wanted of a result."""
    return f"its rerun failed: {head.detail}" if head.last == "failed" else "its rerun is not finished"


def find_lack(demands: Demands, head: ActionHistory | None) -> str:
    """Why what is on record is no valid result for these demands; empty if it is one, or if nothing ever ran."""
    if head is None:
        return ""
    if head.success is None:
        return f"{head.last}: {head.detail}".rstrip(": ")
    if head.rerun is not None:
        return describe_rerun(head)
    shortfall = find_record_shortfall(demands, head)
    return shortfall.reason if shortfall else ""


def find_record_shortfall(demands: Demands, head: ActionHistory) -> Shortfall | None:
    """Return what the result of `head` lacks for these demands; None if it is valid, or if there is no result."""
    cause = Cause(head.detail, head.cause_kind) if head.last == "succeeded" else UNKNOWN_CAUSE
    return find_shortfall(demands, head, cause) if head.success is not None else None


def find_valid_records(nodes: Iterable[Node], records: Records) -> dict[str, ActionHistory | None]:
    """Return the history of each node by its name; None where its result is not valid for the evaluation."""
    heads = ((node, records.history(node.action.digest)) for node in nodes)
    return {node.name: None if find_lack(node.demands, head) else head for node, head in heads}


def describe_shortfalls(nodes: Iterable[Node], records: Records) -> dict[str, str]:
    """Return why the result of each node is not valid; empty where it is, or where there is none."""
    heads = ((node, records.history(node.action.digest)) for node in nodes)
    found = {node.name: find_record_shortfall(node.demands, head) for node, head in heads if head}
    return {name: shortfall.reason if shortfall else "" for name, shortfall in found.items()}


def _find_reasons(name: str, action: Action, records: Records) -> tuple[Reason, ...]:
    before = records.baseline(name)
    if before is None:
        return (Reason("never-run", ""),)
    changes = find_part_changes(before, action, records)
    if not changes:
        return (Reason("never-run", ""),)
    return tuple(Reason("changed", change.path, change.before, change.now) for change in changes)


def find_part_changes(before: Mapping[str, str], action: Action, records: Records) -> list[Change]:
    """Return what changed since the identity with the parts `before`. Only parts with another digest are read."""
    old: dict[str, Mapping[str, str]] = {}
    new: dict[str, Mapping[str, str]] = {}
    parts = dict(action.parts)
    for name in {*before, *parts}:
        part = parts.get(name)
        if part is not None and before.get(name) == part.digest:
            continue
        old[name] = records.part(before[name]) or {} if name in before else {}
        new[name] = dict(part.pairs) if part else {}
    return find_walk_changes(old, new)


def find_walk_changes(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> list[Change]:
    """Return what changed between two identities, of which the walks of some parts are given by name."""
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for name in sorted({*before, *now}):
        old |= _add_prefix(name, before.get(name, {}))
        new |= _add_prefix(name, now.get(name, {}))
    return [change for change in find_changes(old, new) if not _is_implied(change, old, new)]


def _is_implied(change: Change, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether a part of the harness has another behaviour number only because another part was chosen."""
    if not change.path.startswith(BEHAVIOURS):
        return False
    key = change.path.removeprefix(BEHAVIOURS).split()[0]
    chosen = ("benchmark.harness", f"benchmark.{key}")
    return any(old.get(path, "").partition("/")[0] != new.get(path, "").partition("/")[0] for path in chosen)


def _add_prefix(name: str, pairs: Mapping[str, str]) -> dict[str, str]:
    if not name:
        return {path or "(all)": text for path, text in pairs.items()}
    return {f"{name}.{path}" if path else name: text for path, text in pairs.items()}
