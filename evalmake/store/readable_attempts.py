"""The attempts of a store that can be read, whichever are damaged."""

from __future__ import annotations

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
