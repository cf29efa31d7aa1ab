"""`verify` and `gc`: what does not match its digest, and what no record reaches."""

from __future__ import annotations

from dataclasses import dataclass

from evalmake.planner.digest import digest
from evalmake.store.store import Store


@dataclass(frozen=True, slots=True)
class Garbage:
    """An entry that nothing needs."""

    key: str
    size: int


def verify_store(store: Store) -> tuple[int, list[str]]:
    """Re-hash every blob and part; how many were looked at, and what does not match.

    A blob that is not what it was is worthless: it is removed, so that what rests on it runs again.
    What only a superseded attempt has lost is no mismatch of what counts.
    """
    wrong = [f"the database: {text}" for text in store.check_database()]
    blobs, parts = store.keys_of_kind("blob"), store.keys_of_kind("part")
    for key in blobs:
        if store.blob(key[5:]) is None:
            wrong.append(f"blob sha256:{key[5:]}: {_damaged(store, key[5:])}")
            store.remove_entry(key)
    for key in parts:
        walk = store.part(key[5:])
        if walk is None or digest(walk.items()) != key[5:]:
            wrong.append(f"part {key[5:]}: its text is not what it was")
    known = {key[5:] for key in blobs}
    for name, blob, counts in _needed(store):
        if blob not in known and counts:
            wrong.append(f"{name}: its output sha256:{blob} is missing")
    return len(blobs) + len(parts), wrong


def _damaged(store: Store, blob: str) -> str:
    """What to say of a blob whose bytes are not what they were."""
    users = sorted({name for name, needed, _ in _needed(store) if needed == blob})
    shown = ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
    return f"the content is missing or is not what it was; it is removed from {shown or 'nothing'}"


def find_garbage(store: Store) -> list[Garbage]:
    """The blobs and parts that no attempt reaches, and the files that a kill left."""
    needed = {blob for _, blob, _ in _needed(store)}
    walked = {part for _, part in _parts(store)}
    found = [key for key in store.keys_of_kind("blob") if key[5:] not in needed]
    found += [key for key in store.keys_of_kind("part") if key[5:] not in walked]
    sizes = [(key, store.entry_size(key)) for key in found]
    return [Garbage(key, size) for key, size in [*sizes, *store.find_orphan_files()]]


def collect_garbage(store: Store) -> list[Garbage]:
    """Remove what `garbage` names."""
    found = find_garbage(store)
    for item in found:
        store.remove_entry(item.key)
    return found


def _needed(store: Store) -> list[tuple[str, str, bool]]:
    """Every attempt with each blob of its own, and whether it is the attempt that counts."""
    return [
        (f"{result.name} (attempt {result.attempt})", output.sha256, result.attempt == head.success)
        for action, head in store.histories().items()
        for result in store.attempts(action)
        for output in result.outputs
    ]


def _parts(store: Store) -> list[tuple[str, str]]:
    found = [
        (result.name, part)
        for action in store.histories()
        for result in store.attempts(action)
        for part in result.identity.values()
    ]
    for key in store.keys_of_kind("last"):
        found += [(key, part) for part in (store.last_of(key[5:]) or {}).values()]
    return found
