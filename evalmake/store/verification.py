"""Verification, for `evalmake verify`: does all stored data match its digest?"""

from __future__ import annotations

from evalmake.planner.digest import digest
from evalmake.store.store import Store

_SHOWN_USERS = 3


def verify_store(store: Store) -> tuple[int, list[str]]:
    """Hash every blob and part again; how many there are, and what is wrong.

    A damaged blob is worthless. It is removed, so that what used it runs again. Outputs that only a
    superseded attempt has lost are not reported.
    """
    wrong = [f"the database: {text}" for text in store.check_database()]
    blobs = [key.removeprefix("blob/") for key in store.keys_of_kind("blob")]
    parts = [key.removeprefix("part/") for key in store.keys_of_kind("part")]
    for blob in blobs:
        if store.blob(blob) is None:
            wrong.append(f"blob sha256:{blob}: {_describe_damage(store, blob)}")
            store.remove_entry(f"blob/{blob}")
    for part in parts:
        walk = store.part(part)
        if walk is None or digest(walk.items()) != part:
            wrong.append(f"part {part}: its text is not what it was")
    known = set(blobs)
    for user, blob, is_result in _outputs(store):
        if blob not in known and is_result:
            wrong.append(f"{user}: its output sha256:{blob} is missing")
    return len(blobs) + len(parts), wrong


def _describe_damage(store: Store, blob: str) -> str:
    users = sorted({user for user, output, _ in _outputs(store) if output == blob})
    more = len(users) - _SHOWN_USERS
    shown = ", ".join(users[:_SHOWN_USERS]) + (f" and {more} more" if more > 0 else "")
    return f"the content is missing or damaged; it was removed from {shown or 'nothing'}"


def _outputs(store: Store) -> list[tuple[str, str, bool]]:
    """Every output: its attempt in words, its blob, and whether the attempt is its action's result."""
    return [
        (f"{attempt.name} (attempt {attempt.attempt})", output.sha256, attempt.attempt == history.success)
        for action, history in store.histories().items()
        for attempt in store.attempts(action)
        for output in attempt.outputs
    ]
