"""Verification, for `evalmake verify`: does all stored data match its digests, and every score its samples?

Each step hands on what is wrong in words. Where the store can be written to, what is damaged is removed, so that
what used it runs again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from evalmake.planner.action import ActionResult
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store import records
from evalmake.store.history import agree
from evalmake.store.sample_means import find_contradiction
from evalmake.store.store import Store

_SHOWN_USERS = 3


@dataclass(slots=True)
class Verification:
    """How many entries were checked, what is wrong, and how many records have no seal."""

    count: int = 0
    wrong: list[str] = field(default_factory=list)
    unsealed: int = 0


def verify_store(store: Store) -> Verification:
    """Check every blob, part, record and history. Outputs that only a superseded attempt has lost are not reported."""
    found = Verification()
    found.wrong += [f"the database: {text}" for text in _check_database(store)]
    attempts, damaged = _verify_records(store, found)
    blobs = _verify_blobs(store, found, attempts)
    _verify_walks(store, found)
    _verify_histories(store, damaged, found)
    for attempt in attempts:
        head = store.history(attempt.action)
        if head is None or head.success != attempt.attempt:
            continue
        lost = [output.sha256 for output in attempt.outputs if output.sha256 not in blobs]
        found.wrong += [f"{_title(attempt)}: its output sha256:{blob} is missing" for blob in lost]
        samples = next((output.sha256 for output in attempt.outputs if output.name == SAMPLES), "")
        if contradiction := find_contradiction(attempt.scores, store.blob(samples)):
            found.wrong.append(f"{_title(attempt)}: {contradiction}")
    return found


def check_table(store: Store) -> None:
    """Raise sqlite3.Error where the table is lost; call it before the store is opened for writing, which creates it."""
    store.database.rows("SELECT key FROM Cache LIMIT 0")


def _check_database(store: Store) -> list[str]:
    """What SQLite finds wrong with its database, and rows that stand under the wrong kind."""
    try:
        rows = store.database.rows("PRAGMA integrity_check")
    except sqlite3.Error as error:
        return [str(error)]
    wrong = [str(text) for (text,) in rows if text != "ok"]
    if any("index" in text for text in wrong) and store.database.is_writable:
        store.database.rebuild_indexes()  # what is found by a wrong index is not what stands in the rows
    strays = store.database.rows("SELECT key FROM Cache WHERE typeof(key) != 'text' OR key NOT LIKE tag || '/%'")
    for (key,) in strays:
        wrong.append(f"the row {str(key)[:60]} is not what evalmake wrote")
        _remove(store, key)
    return wrong


def _verify_records(store: Store, found: Verification) -> tuple[list[ActionResult], set[str]]:
    """Every record that is whole, and the actions of the others. Each names the one before it, so none is replaced."""
    whole, damaged = [], set[str]()
    for key in store.keys_of_kind("record"):
        found.count += 1
        try:
            attempt = store.attempt_of_key(key)
        except records.NewerRecord:
            raise
        except records.UnreadableRecord:
            found.wrong.append(f"{key}: the record is not what evalmake wrote; it was removed")
            _remove(store, key)
            action, _, number = key.removeprefix("record/").rpartition("/")
            damaged.add(action)
            if not number.isdecimal() or max(store.attempt_numbers(action), default=0) <= int(number):
                _remove(store, f"head/{action}")  # no earlier result takes the place of this one: it runs again
            continue
        whole.append(attempt)
        text = store.database.text(key) or ""
        found.unsealed += not records.is_sealed(text)
        before = store.record_digest(attempt.action, attempt.attempt - 1)
        if records.is_sealed(text) and before and attempt.previous != before:
            found.wrong.append(f"{_title(attempt)}: the record before it was replaced")
    return whole, damaged


def _verify_blobs(store: Store, found: Verification, attempts: list[ActionResult]) -> set[str]:
    """Hash every blob; the digests of those that there are or were."""
    blobs = [key.removeprefix("blob/") for key in store.keys_of_kind("blob")]
    found.count += len(blobs)
    for blob in blobs:
        if not store.blobs.is_whole(blob):
            users = _describe_users(attempts, blob)
            found.wrong.append(f"blob sha256:{blob}: the content is missing or damaged; it was removed from {users}")
            _remove(store, f"blob/{blob}")
    return set(blobs)


def _describe_users(attempts: list[ActionResult], blob: str) -> str:
    users = sorted({_title(one) for one in attempts for output in one.outputs if output.sha256 == blob})
    more = len(users) - _SHOWN_USERS
    return ", ".join(users[:_SHOWN_USERS]) + (f" and {more} more" if more > 0 else "") or "nothing"


def _verify_walks(store: Store, found: Verification) -> None:
    """Parts of identities, and what explains why something is out of date."""
    for part in store.keys_of_kind("part"):
        found.count += 1
        if store.part(part.removeprefix("part/")) is None:
            found.wrong.append(f"{part.replace('/', ' ', 1)}: its text is not what it was")
    for kind in ("last", "headline", "report", "shortfall"):
        for key in store.keys_of_kind(kind):
            if store.walk(key) is None:
                found.wrong.append(f"{key}: its text is not what it was; it was removed")
                _remove(store, key)


def _verify_histories(store: Store, damaged: set[str], found: Verification) -> None:
    """Compare every history with the records that it comes from; of actions with a damaged one, with what is left."""
    for key in store.keys_of_kind("head"):
        action, text = key.removeprefix("head/"), store.database.text(key) or ""
        stored = records.histories_from_texts([(action, text)])[0].get(action)
        made = store.history_of_records(action)
        if stored is not None and made is not None and agree(stored, made):
            continue
        store.distrust_history(action)
        if records.is_sealed(text) and action not in damaged:
            found.wrong.append(f"the history of {action[:19]} is not what its records say; it was written again")
    if store.database.is_writable:
        store.save_rebuilt_histories()


def _remove(store: Store, key: str) -> None:
    if store.database.is_writable:
        store.remove_entry(key)


def _title(attempt: ActionResult) -> str:
    return f"{attempt.name} (attempt {attempt.attempt})"
