"""Garbage collection, for `evalmake gc`: find and delete stored data that no result refers to."""

from __future__ import annotations

from dataclasses import dataclass

from evalmake.store.store import Store


@dataclass(frozen=True, slots=True)
class Garbage:
    """An entry or file of the store that nothing refers to, and its size in bytes."""

    key: str
    size: int


def find_garbage(store: Store) -> list[Garbage]:
    """The blobs and parts that no attempt or baseline refers to, and files that a kill left behind."""
    blobs, parts = _find_used(store)
    found = [key for key in store.keys_of_kind("blob") if key.removeprefix("blob/") not in blobs]
    found += [key for key in store.keys_of_kind("part") if key.removeprefix("part/") not in parts]
    sizes = [(key, store.entry_size(key)) for key in found]
    return [Garbage(key, size) for key, size in [*sizes, *store.find_orphan_files()]]


def collect_garbage(store: Store) -> list[Garbage]:
    """Delete all garbage; what was deleted."""
    found = find_garbage(store)
    for item in found:
        store.remove_entry(item.key)
    return found


def _find_used(store: Store) -> tuple[set[str], set[str]]:
    """The blobs and parts of every record and baseline; UnreadableRecord where a record cannot be read."""
    store.histories()  # refuses what a newer evalmake wrote
    blobs: set[str] = set()
    parts: set[str] = set()
    for attempt in store.all_attempts():
        blobs.update(output.sha256 for output in attempt.outputs)
        parts.update(attempt.identity.values())
    for _, baseline in store.baselines():
        parts.update(baseline.values())
    return blobs, parts
