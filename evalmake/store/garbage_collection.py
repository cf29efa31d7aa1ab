"""Garbage collection, for `evalmake gc`: find and delete stored data that no result refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evalmake.store.store import Store


@dataclass(frozen=True, slots=True)
class Garbage:
    """An entry or file of the store that nothing refers to, and its size in bytes."""

    key: str
    size: int


def find_garbage(store: Store) -> list[Garbage]:
    """The blobs and parts that no attempt or baseline refers to, and files that a kill left behind."""
    blobs, parts = set(_used_blobs(store)), set(_used_parts(store))
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


def _used_blobs(store: Store) -> Iterator[str]:
    for action in store.histories():
        for attempt in store.attempts(action):
            yield from (output.sha256 for output in attempt.outputs)


def _used_parts(store: Store) -> Iterator[str]:
    for action in store.histories():
        for attempt in store.attempts(action):
            yield from attempt.identity.values()
    for _, parts in store.baselines():
        yield from parts.values()
