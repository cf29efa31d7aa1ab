"""Garbage collection, for `evalmake gc`: find and delete stored data that no result refers to."""

from __future__ import annotations

import contextlib
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
    return [*(Garbage(key, _entry_size(store, key)) for key in found), *_find_orphan_files(store)]


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


def _entry_size(store: Store, key: str) -> int:
    rows = store.database.rows("SELECT size, length(value) FROM Cache WHERE key = ?", (key,))
    return int((rows and (rows[0][0] or rows[0][1])) or 0)


def _find_orphan_files(store: Store) -> list[Garbage]:
    """Files that no entry names, left by a kill."""
    known = {row[0] for row in store.database.rows("SELECT filename FROM Cache")}
    names = [str(path.relative_to(store.folder)) for path in store.folder.glob("??/??/*.val")]
    found = []
    for name in names:
        with contextlib.suppress(OSError):  # behind a link lies what is not the store's
            size = store.database.file(name).stat().st_size
            found += [Garbage(f"file/{name}", size)] if name not in known else []
    return found
