"""Damage to the store: planning notices it, and `verify` names it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.store import blobs, records
from evalmake.store import database as store_database
from evalmake.store.damage import drop_damaged_results
from evalmake.store.garbage_collection import find_garbage
from evalmake.store.store import Store
from evalmake.store.verification import verify_store
from tests.support.stores import LARGE, action, blob_file, put, reopened, result


def test_damaged_file(store: Store) -> None:
    """`verify` finds a blob whose file was changed; storing the same content repairs it."""
    one = action()
    store.commit(one, result(one), {"samples.jsonl": LARGE})
    blob_file(store).write_bytes(LARGE[:-1] + b"x")
    [wrong] = verify_store(store).wrong
    assert wrong.endswith("is missing or damaged; it was removed from e/1 (attempt 1)")

    store.commit(one, result(one), {"samples.jsonl": LARGE})
    assert verify_store(store).wrong == []


def test_damaged_row(store: Store) -> None:
    """`verify` finds a blob or part that was changed in the database."""
    one = action()
    store.commit(one, result(one), {"log": b"words"})
    store.close()
    with sqlite3.connect(store.folder / "cache.db") as database:
        database.execute("UPDATE Cache SET value = x'00' WHERE tag = 'blob'")
        text = records.pairs_to_text("part/x", {"seed": "2"})
        database.execute("UPDATE Cache SET value = ? WHERE tag = 'part'", (text,))
    database.close()
    wrong = verify_store(Store.open(store.folder)).wrong
    assert [line.partition(" ")[0] for line in wrong] == ["blob", "part"]


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_broken_at_planning(store: Store, damage: str) -> None:
    """Planning notices an output whose file is gone or cut."""
    one = action()
    head = store.commit(one, result(one), {"log": b"words", "samples.jsonl": LARGE})
    assert store.find_damage(head) == ""
    if damage == "cut":
        os.truncate(blob_file(store), 100)
    else:
        blob_file(store).unlink()
    assert reopened(store).find_damage(head).endswith("is missing from the store or damaged")


def test_a_file_that_may_not_be_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output whose file this user may not read is no damage: a message names the file, and nothing is removed."""
    one = action()
    head = store.commit(one, result(one), {"samples.jsonl": LARGE})

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(blobs, "check_regular", refuse)
    monkeypatch.setattr(store_database, "check_regular", refuse)
    for read in (store.find_damage, lambda head: store.blob(*head.blobs), lambda head: verify_store(store)):
        with pytest.raises(EvalmakeError, match=rf"cannot use {blob_file(store)}: this user may not read it"):
            read(head)


def test_lost_row_at_planning(store: Store) -> None:
    """Planning notices an output whose row is gone, and `verify` names its user."""
    one = action()
    head = store.commit(one, result(one), {"log": b"words"})
    [key] = store.keys_of_kind("blob")
    store.remove_entry(key)
    again = reopened(store)
    assert again.find_damage(head)
    assert verify_store(again).wrong == [f"e/1 (attempt 1): its output sha256:{key[5:]} is missing"]


@pytest.mark.parametrize("text", ["", "a record of somebody else's"])
def test_changed_record_at_planning(store: Store, text: str) -> None:
    """Planning notices that the record of a result was changed; if the next attempt fails, the result stays lost."""
    one = action()
    head = store.commit(one, result(one), {})
    put(store, f"record/{one.digest}/1", text)
    again = reopened(store)
    assert f"record/{one.digest}/1 is not what evalmake wrote" in again.find_damage(head)
    assert again.history(one.digest) == head, "to find damage drops nothing"
    drop_damaged_results(again, [one.digest])
    assert f"record/{one.digest}/1 is not what evalmake wrote" in again.damage(one.digest)
    lost = again.history(one.digest)
    assert lost is not None
    assert lost.success is None
    assert again.commit(one, result(one, "failed"), {}).success is None
    assert again.commit(one, result(one), {}).success == 3
    assert again.find_damage(again.histories()[one.digest]) == again.damage(one.digest) == ""


def test_newer_records(store: Store) -> None:
    """A store that a later evalmake wrote is refused, with one message."""
    one = action()
    head = store.commit(one, result(one), {})
    row = json.loads(records.history_to_text(head))
    put(store, f"head/{one.digest}", json.dumps([99, *row[1:]], separators=(",", ":")))
    with pytest.raises(EvalmakeError, match="was written by a newer evalmake"), reopened(store) as again:
        again.histories()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[1]", "null", "[1,2,3,4,5,6,7]", '"x"', '{"v":2}', '{"v":1}', "[2,1]"]
)
def test_unreadable_records(store: Store, text: str) -> None:
    """A history that cannot be read is made from its records; a record that cannot be read makes its action stale."""
    one = action()
    head = store.commit(one, result(one), {})
    put(store, f"head/{one.digest}", text)
    assert reopened(store).history(one.digest) == head
    put(store, f"record/{one.digest}/1", text)
    with Store.open(store.folder) as again:
        damaged = again.history(one.digest)
        assert damaged is not None
        assert damaged.success is None
        assert "its record is damaged" in again.damage(one.digest)
    with pytest.raises(EvalmakeError, match="is damaged"), Store.open(store.folder) as again:
        again.attempt(one.digest, 1)


def test_damaged_database(store: Store) -> None:
    """Garbage in place of the database is reported as damage."""
    store.close()
    for path in store.folder.glob("cache.db*"):
        path.write_bytes(os.urandom(8192))
    with pytest.raises(EvalmakeError, match="is damaged: file is not a database"):
        Store.open(store.folder)


@pytest.mark.parametrize("version", [3, 6, 130])
def test_damaged_header(store: Store, version: int) -> None:
    """A header of which SQLite only says that the database is read-only is damage, and no matter of permissions."""
    store.commit(one := action(), result(one), {})
    store.close()
    with (store.folder / "cache.db").open("r+b") as database:
        database.seek(18)
        database.write(bytes([version]))
    with pytest.raises(EvalmakeError, match="is damaged: the header of its database is wrong") as raised:
        Store.open(store.folder)
    assert raised.value.diagnostics[0].help == ("move it away: evalmake then creates a new one",)


def test_settings_of_the_database(store: Store) -> None:
    """Damaged settings of the database are written anew, and evict nothing."""
    one = action()
    head = store.commit(one, result(one), {})
    store.close()
    for change in ("key = 'disk_min_fxle_size' WHERE key = 'disk_min_file_size'", "value = 'x'", "value = x'ff'"):
        with sqlite3.connect(store.folder / "cache.db") as database:
            database.execute(f"UPDATE Settings SET {change}")
        database.close()
        with Store.open(store.folder) as again:
            assert again.history(head.action) == head
            head = again.commit(one, result(one), {})


@pytest.mark.parametrize("change", ["replace(key, '/1', '/01')", "replace(key, '/1', '/x')", "'record/1'"])
def test_a_row_that_is_no_record(store: Store, change: str) -> None:
    """`verify` removes a row that no attempt has as its record, and garbage collection says that it is damage."""
    one = action()
    store.commit(one, result(one), {})
    store.close()
    with sqlite3.connect(store.folder / "cache.db") as database:
        database.execute(f"UPDATE Cache SET key = {change} WHERE tag = 'record'")
    database.close()
    with pytest.raises(EvalmakeError, match="is damaged"), Store.open(store.folder) as again:
        find_garbage(again)
    with Store.open(store.folder) as again:
        wrong = "\n".join(verify_store(again).wrong)
        assert "the record is not what evalmake wrote; it was removed" in wrong
        assert again.keys_of_kind("record") == []


def test_a_later_result_outlives_a_damaged_record(store: Store) -> None:
    """`verify` removes a damaged record of an attempt, and the result of a later one counts all the same."""
    one = action()
    store.commit(one, result(one), {})
    again = store.commit(one, result(one, value=0.7), {})
    put(store, f"record/{one.digest}/1", "{}")
    with reopened(store) as damaged:
        [wrong] = verify_store(damaged).wrong
        assert wrong.startswith(f"record/{one.digest}/1: the record is not what evalmake wrote")
    with Store.open(store.folder) as mended:
        head = mended.history(one.digest)
        assert head is not None
        assert head.success == again.success == 2
        assert verify_store(mended).wrong == []


def test_a_wrong_index_is_made_again(store: Store) -> None:
    """Wherever a bit of a record's key flips, in its row or in an index, one `verify` mends what can be mended."""
    one = action()
    store.commit(one, result(one), {})
    store.close()
    path = store.folder / "cache.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole, key = path.read_bytes(), f"record/{one.digest}/1".encode()
    places = [found.start() + offset for found in re.finditer(key, whole) for offset in range(0, len(key), 5)]
    assert len(places) > len(key) / 5  # a row, and an index at least
    for place in places:
        for name in ("cache.db-wal", "cache.db-shm"):
            (store.folder / name).unlink(missing_ok=True)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with Store.open(store.folder) as damaged:
            verify_store(damaged)
            damaged.commit(one, result(one), {})
        with Store.open(store.folder) as mended:
            assert mended.database.rows("PRAGMA integrity_check") == [("ok",)], place
            assert verify_store(mended).wrong == [], place
            head = mended.history(one.digest)
            assert head is not None
            assert mended.proved_result(head).status == "succeeded"
