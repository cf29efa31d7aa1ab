"""What is told of a result: its story, and the stories of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.audit.outputs import Object, find_list, find_text
from evalmake.audit.parameters import Pairs, ParameterStory
from evalmake.planner.action import ActionResult
from evalmake.planner.digest import Change
from evalmake.planner.staleness import Reason
from evalmake.planner.stored_replies import REPLIES_OF
from evalmake.scoring.gates import GateResult
from evalmake.scoring.notes import Note
from evalmake.scoring.result_set import Result
from evalmake.scoring.score import Score
from evalmake.store.acceptance import ACCEPTED_AT, ACCEPTED_BECAUSE
from evalmake.store.origin import HOST, USER


@dataclass(frozen=True, slots=True)
class TriedAttempt:
    """One attempt of a cell, whatever became of it, and what was different in the one before."""

    record: ActionResult
    digest: str  # sha256 of the record as it is stored
    sealed: bool  # evalmake 0.1 kept no digests in its records
    is_first: bool
    is_repetition: bool  # whether there was a result of this definition already
    changes: tuple[Change, ...]
    lost: tuple[str, ...]  # the parts of the identity that the store has lost, so that they cannot be compared
    build: Object | None  # provenance/build.json
    own: Object | None  # provenance/attempt.json
    damage: tuple[str, ...]  # what is wrong with these

    @property
    def accepted_because(self) -> str | None:
        """Why the result of another definition counts; None where this is an attempt, and no acceptance."""
        return self.record.facts.get(ACCEPTED_BECAUSE)

    @property
    def moment(self) -> str:
        """When it ended, or was accepted; ISO 8601. When evalmake 0.1 accepted something is not known."""
        return self.record.facts.get(ACCEPTED_AT) or self.record.finished

    @property
    def maker(self) -> tuple[str, str] | None:
        """Who did it, on what host."""
        facts = self.record.facts
        return (facts[USER], facts.get(HOST, "")) if USER in facts else None

    @property
    def was_forced(self) -> bool | None:
        """Whether -B asked for it; None where that is not on record."""
        if self.own is None:
            return None
        return any(find_text(reason, "kind") == "forced" for reason in find_list(self.own, "reasons"))


@dataclass(frozen=True, slots=True)
class AuditStory:
    """The story of one cell."""

    name: str
    address: str  # its name without the seed
    action: str  # of what the Evalfile says now
    reasons: tuple[Reason, ...]  # why it must run; empty where its result is up to date
    since: tuple[Change, ...]  # what has changed since `counted`, where that is of another definition
    result: Result | None
    scores: tuple[Score, ...]  # with the intervals that reports show
    notes: tuple[Note, ...]
    confidence: float
    counted: TriedAttempt | None  # the attempt of `result`: the last success
    made: TriedAttempt | None  # the attempt that made it: another one where `counted` is an acceptance
    attempts: tuple[TriedAttempt, ...]  # in the order of time
    identity: Mapping[str, Pairs] = field(default_factory=dict)
    """By part: the walk of what made the result, or of what the Evalfile says where nothing succeeded."""
    usage: Mapping[str, Object] = field(default_factory=dict)
    """What the gateways counted for `counted`, by role."""
    parameters: tuple[ParameterStory, ...] | None = None
    causes: tuple[tuple[str, int], ...] = ()
    """Why samples have no score, and how many of them."""
    gates: tuple[GateResult, ...] = ()
    doubts: tuple[str, ...] = ()
    """What is damaged or lost, and what else the reader should know of the record."""

    @property
    def headline(self) -> Score | None:
        """The score that the result is known by."""
        metric = self.result.metric if self.result else ""
        return next((score for score in self.scores if score.metric == metric), None)

    @property
    def asks_no_model(self) -> bool:
        """Whether the answers are in the data."""
        return "asked" in self.identity.get("model", {})

    @property
    def asked_nobody(self) -> bool:
        """Whether the result is on record as one for which the model got no request, or was none to ask."""
        if self.asks_no_model:
            return True
        is_silent = self.counted is not None and not self.usage and self.counted.record.usage.get("requests") == 0
        return is_silent and not self.replies_of

    @property
    def replies_of(self) -> str:
        """The attempt that asked for the replies that the result scores again; empty if it asked itself."""
        return self.counted.record.facts.get(REPLIES_OF, "") if self.counted is not None else ""

    @property
    def is_of_this_definition(self) -> bool:
        """Whether the result is of what the Evalfile says now."""
        return self.counted is not None and self.counted.record.action == self.action

    @property
    def is_uneventful(self) -> bool:
        """Whether the only attempt succeeded, counts, and scored every sample."""
        return len(self.attempts) == 1 and not (self.reasons or self.doubts or self.causes)


@dataclass(frozen=True, slots=True)
class GroupStory:
    """The cells that differ only in their seed: what they come to together."""

    address: str
    stories: tuple[AuditStory, ...]
    score: str  # the mean of those seeds that have a result, with its interval; empty without any
    notes: tuple[Note, ...]  # on that mean
    gates: tuple[GateResult, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The stories of all targets."""

    title: str
    groups: tuple[GroupStory, ...]
    plan: str  # the digest of what a build of these targets would be now

    @property
    def stories(self) -> list[AuditStory]:
        """The story of each cell."""
        return [story for group in self.groups for story in group.stories]
