"""Counts over the rows of samples.jsonl: what became of an evaluation's replies, beside their scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xxhash import xxh3_64_hexdigest

from evalmake.model_reply.reasoning_tags import ends_in_reasoning
from evalmake.model_reply.token_limit import asks_for_one_token
from evalmake.scoring.failure_classes import FailureKey, find_key
from evalmake.scoring.unscored_causes import NO_CAUSE, UNSCORED, Cause, describe_cause

SAMPLES = "samples.jsonl"
LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 1e9
REPEATED = "items_repeated"
"""In the usage: how many items have the content of an earlier one."""
SAME_ID = "ids_repeated"
"""In the usage: how many samples have id, repetition and metric of an earlier one."""
TIES = "ties"
"""In the usage: how many samples have several likeliest options."""
WITHOUT_ANSWER = "replies_without_answer"
"""In the usage: how many replies have text, and nothing in it that the scorer or `extract` takes for an answer."""
STORED_REPLIES = "stored_replies"
"""In the usage: how many replies of an earlier attempt were scored, in place of asking."""
WEIGHTED = "samples_weighted"
"""In the usage: how many samples have a weight other than 1."""
QUESTION_KEY, REPLY_KEY = "question_key", "reply_key"
"""Fields of a sample without texts: what stands for the digest of its question, and of its reply."""
_ENCODER = json.JSONEncoder(sort_keys=True)  # one for all rows: to make it takes as long as to use it
_FINISHES = {
    "length": "replies_truncated",
    "content_filter": "replies_refused",
    "tool_calls": "replies_calling_tools",
    "function_call": "replies_calling_tools",
}
"""The finish reason of a reply -> the count of such replies."""


@dataclass(slots=True)
class SampleCounts:
    """The counts of one evaluation, by the names under which its usage holds them."""

    metric: str = ""
    """The headline, which each sample should have; without one, any metric will do."""
    counts: Counter[str] = field(default_factory=Counter)
    _causes: Counter[Cause] = field(default_factory=Counter)
    """By the first of those that are alike."""
    _first_causes: dict[tuple[FailureKey, str], Cause] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)
    """For causes that a sample's own row does not tell: the first sample."""
    _items: set[str] = field(default_factory=set)
    _scored_ids: set[tuple[str, str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, lines: Iterable[bytes], metric: str = "") -> SampleCounts:
        """Count the rows; a line that is no row is left out, since a program may write a form of its own."""
        found = cls(metric)
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and "id" in row and isinstance(row.get("scores") or {}, dict):
                found._add(row)
        return found

    @property
    def cause(self) -> Cause:
        """Why most of the unscored samples have no score; empty if all have one."""
        if not self._causes:
            return NO_CAUSE
        (reason, kind), count = self._causes.most_common(1)[0]
        return Cause(describe_cause(f"{reason}{self._places.get(reason, '')}", count), kind)

    @property
    def causes(self) -> list[tuple[str, int]]:
        """Each reason why samples have no score, and how many have none for it; the commonest first."""
        return [(f"{reason}{self._places.get(reason, '')}", n) for (reason, _), n in self._causes.most_common()]

    def _add(self, row: Mapping[str, Any]) -> None:
        self.counts["samples"] += 1
        if row.get("error") is not None:
            self.counts["samples_failed"] += 1
        self._add_cause(row)
        self._add_reply(row)
        self._add_id(row)
        self._add_item(row)
        if row.get("weight", 1) != 1:
            self.counts[WEIGHTED] += 1

    def _add_cause(self, row: Mapping[str, Any]) -> None:
        """Count why the sample has no score, if it has none."""
        scores = row.get("scores")
        if error := row.get("error"):
            cause = Cause(str(error), str(row.get("cause_kind") or ""))
            self._causes[self._first_causes.setdefault((find_key(cause.text), cause.kind), cause)] += 1
        elif error is not None or not scores:
            self._causes[Cause(UNSCORED, "scorer")] += 1
        elif self.metric and self.metric not in scores:
            reason = f"has no `{self.metric}` but {', '.join(f'`{name}`' for name in sorted(scores))}"
            self._causes[Cause(reason, "scorer")] += 1
            self._places.setdefault(reason, f" (first: sample `{row['id']}`)")

    def _add_reply(self, row: Mapping[str, Any]) -> None:
        reply, request = row.get("reply"), row.get("request")
        if not isinstance(reply, str):
            return
        self.counts["replies"] += 1
        finish = _FINISHES.get(str(row.get("finish_reason")))
        if finish == "replies_calling_tools" and _reads_calls(row):
            return
        if finish and not (finish == "replies_truncated" and asks_for_one_token(request)):
            self.counts[finish] += 1
        if finish is None and ends_in_reasoning(reply):
            self.counts["replies_unfinished"] += 1
        if not reply.strip() and finish in (None, "replies_truncated"):
            self.counts["replies_empty"] += 1
        if isinstance(request, dict) and isinstance(n := request.get("n"), int) and n > 1:
            self.counts["replies_unused"] += n - 1

    def _add_id(self, row: Mapping[str, Any]) -> None:
        """Count a sample that is taken for a repetition of an earlier one, and does not say that it is one."""
        scores = row.get("scores")
        ids = {(str(row["id"]), str(row.get("repetition", 1)), str(name)) for name in scores or ()}
        if not ids.isdisjoint(self._scored_ids):
            self.counts[SAME_ID] += 1
        self._scored_ids |= ids

    def _add_item(self, row: Mapping[str, Any]) -> None:
        """Count an item that has the content of an earlier one, whatever its id."""
        content = digest_question(row)
        if not content or row.get("repetition", 1) != 1:
            return
        self.counts[REPEATED] += content in self._items
        self._items.add(content)


def asks_all_once(usage: Mapping[str, float]) -> bool:
    """Whether it is known that no question repeats and all weigh the same: then counts tell all of 0/1 scores."""
    return usage.get(REPEATED) == 0 and not usage.get(WEIGHTED)


def read_weight(row: Mapping[str, Any]) -> float:
    """The weight of a sample, 1 where it has none; ValueError for one that weighs nothing, or more than can be."""
    weight = row.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not is_weight(weight):
        raise ValueError(f"the weight is {weight!r}")
    return float(weight)


def is_weight(number: float) -> bool:
    """Whether a number can be a weight: sums of such numbers and of their squares stay exact enough."""
    return LEAST_WEIGHT <= number <= MOST_WEIGHT


def digest_question(row: Mapping[str, Any]) -> str:
    """A digest of the question and its target, where the row holds the request; else of the whole item."""
    request = row.get("request")
    if row.get(QUESTION_KEY) or not isinstance(request, dict):
        return str(row.get(QUESTION_KEY) or row.get("item") or "")
    messages = request.get("messages")
    asked = messages[-1] if isinstance(messages, list) and messages else request.get("prompt")
    return xxh3_64_hexdigest(_ENCODER.encode([asked, row.get("target")]).encode())


def _reads_calls(row: Mapping[str, Any]) -> bool:
    """Whether a sample's score is of its calls: of a scorer that reads the whole reply, or of a check of calls."""
    checked = any(_is_call_check(str(name)) for name in row.get("scores") or ()) or _checks_calls(row.get("checks"))
    return checked or row.get("message") is not None


def _checks_calls(checks: object) -> bool:
    """Whether one of the checks that a sample has on record is of calls, also inside `any` and `all`."""
    listed = [one for one in checks if isinstance(one, dict)] if isinstance(checks, list) else []
    return any(_is_call_check(str(one.get("type"))) or _checks_calls(one.get("checks")) for one in listed)


def _is_call_check(type: str) -> bool:
    return type.removeprefix("not-") == "tool-call"
