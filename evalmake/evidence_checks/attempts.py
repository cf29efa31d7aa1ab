"""Checks the attempts of an evaluation by each other: their numbers, jobs and times, and the chain of their records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from evalmake.evidence.material import StoredRecord
from evalmake.evidence.statements import AttemptEntry
from evalmake.evidence_checks.folder import BadEvidence
from evalmake.planner.action import ActionResult
from evalmake.store.acceptance import ACCEPTED_FROM
from evalmake.store.records import is_sealed

AFTER_A_FAILURE = ("failed", "cancelled")
AFTER_AN_ATTEMPT = (*AFTER_A_FAILURE, "rerun", "too-old", "fell-short", "output-missing")
"""Kinds of reasons that there are only where the action has an attempt already."""
CHANGED = "changed"
"""The kind of a reason that there is only where the name has an attempt by another definition."""
_SHORT = 19
_CLOCK = timedelta(seconds=2)
"""By how much clocks that are set may disagree."""
_LONGEST_SET = 60.0  # seconds by which a clock may have been set during an attempt


def check_chain(attempts: Sequence[StoredRecord]) -> None:
    """The attempts of one action have consecutive numbers, and each names the record before it; BadEvidence if not."""
    before: StoredRecord | None = None
    for number, record in enumerate(attempts, 1):
        one = record.result
        if (one.action, one.attempt) != (attempts[0].result.action, number):
            raise BadEvidence(f"attempt {number} is missing from its records")
        if wrong := _contradict_previous(record, before):
            raise BadEvidence(wrong)
        before = record


def contradict_earlier(earlier: Sequence[StoredRecord]) -> Iterator[str]:
    """What is wrong with the chains of attempts by earlier definitions, of which some may be of other evaluations."""
    for numbered in _group(earlier).values():
        for number, record in numbered.items():
            known = number == 1 or number - 1 in numbered
            if known and (wrong := _contradict_previous(record, numbered.get(number - 1))):
                yield f"by an earlier definition, {wrong}"
    names = [(one.result.action, one.result.attempt) for one in earlier]
    if len(set(names)) < len(names):
        yield "an attempt by an earlier definition stands twice"


def contradict_attempts(records: Sequence[StoredRecord]) -> Iterator[str]:
    """What attempts say of their jobs and times that cannot be, whether they count or not."""
    own = [record.result for record in records if ACCEPTED_FROM not in record.result.facts]
    for one in own:
        where = f"attempt {one.attempt} of {one.action[:_SHORT]}"
        expected = f"{one.action.partition(':')[2][:12]}.{one.attempt}"
        if one.job != expected:
            yield f"{where}: its job is {one.job or 'none'}, and that of this attempt is {expected}"
        started, finished = read_time(one.started), read_time(one.finished)
        if started is None or finished is None:
            yield f"{where}: it has no times"
        elif finished < started:
            yield f"{where}: it ended before it began"
        elif one.seconds > (finished - started).total_seconds() + _LONGEST_SET:
            yield f"{where}: it took {one.seconds:.0f}s, more than there are between its times"
    by_action: dict[str, list[ActionResult]] = defaultdict(list)
    for one in own:
        by_action[one.action].append(one)
    for ones in by_action.values():
        yield from _contradict_order(sorted(ones, key=lambda one: one.attempt))


def list_doubts(attempts: Sequence[StoredRecord], earlier: Sequence[StoredRecord]) -> Iterator[str]:
    """What cannot be proved of records: those without a seal, and those whose predecessor is not in the evidence."""
    if old := [one.result.attempt for one in (*attempts, *earlier) if not is_sealed(one.text)]:
        yield f"attempt {old[0]} has a record as evalmake 0.1 wrote it, which names no record before it"
    for action, numbered in _group(earlier).items():
        for number in numbered:
            if number > 1 and number - 1 not in numbered:
                yield f"attempt {number - 1} of {action[:_SHORT]}, an earlier definition, is not in the evidence"


def _contradict_previous(record: StoredRecord, before: StoredRecord | None) -> str:
    """What is wrong with the record that a record names as the one before it; empty if nothing is."""
    number = record.result.attempt
    if not is_sealed(record.text):
        was_sealed = before is not None and is_sealed(before.text)
        return f"attempt {number} has a record without a seal, and the one before it has one" if was_sealed else ""
    if record.result.previous != (AttemptEntry.of(before).record if before else ""):
        return f"the record before attempt {number} was replaced or taken out"
    return ""


def _contradict_order(ones: Sequence[ActionResult]) -> Iterator[str]:
    """One action has one attempt at a time."""
    for before, one in pairwise(ones):
        ended, began = read_time(before.finished), read_time(one.started)
        if ended is not None and began is not None and began + _CLOCK < ended:
            yield f"attempt {one.attempt} of {one.action[:_SHORT]} began before attempt {before.attempt} ended"


def _group(records: Sequence[StoredRecord]) -> Mapping[str, dict[int, StoredRecord]]:
    """Records by action and number, in the order of the numbers."""
    found: dict[str, dict[int, StoredRecord]] = defaultdict(dict)
    for record in sorted(records, key=lambda one: one.result.attempt):
        found[record.result.action][record.result.attempt] = record
    return found


def read_time(text: str) -> datetime | None:
    """A moment with its zone; None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
