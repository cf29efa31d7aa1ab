"""The attempts of a store that can be read, whichever are damaged."""

from __future__ import annotations

from contextlib import suppress

from evalmake.planner.action import ActionResult
from evalmake.store.records import NewerRecord, UnreadableRecord
from evalmake.store.store import Store


def read_attempts(store: Store) -> tuple[list[ActionResult], list[str]]:
    """Every attempt that can be read, and the keys of the records that cannot."""
    found, damaged = [], []
    for key in store.keys_of_kind("record"):
        try:
            found.append(store.attempt_of_key(key))
        except NewerRecord:
            raise
        except UnreadableRecord:
            damaged.append(key)
    return found, damaged


def find_attempt_of_job(store: Store, job: str) -> ActionResult | None:
    """The attempt of a job: its id has the first digits of the action's digest, and the attempt's number."""
    digits, _, number = job.partition(".")
    for key in store.keys_between(f"record/xxh128:{digits}", f"record/xxh128:{digits}~"):
        if not key.endswith(f"/{number}"):
            continue
        with suppress(UnreadableRecord):
            if (found := store.attempt_of_key(key)).job == job:
                return found
    return None
