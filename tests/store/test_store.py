"""The store: atomic commits, append-only, and checks for damage."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.action import Action, ActionResult
from evalmake.planner.digest import Part
from evalmake.planner.staleness import ActionHistory
from evalmake.scoring.score import Score
from evalmake.store import records
from evalmake.store.garbage_collection import collect_garbage, find_garbage
from evalmake.store.history import extend_history
from evalmake.store.journal import Journal, JournalEntry
from evalmake.store.store import Store
from evalmake.store.verification import verify_store

LARGE = b"0123456789abcdef" * 8192  # kept in a file of its own


def action(seed: int = 1) -> Action:
    """An action that differs by `seed`."""
    return Action.of("evaluate", {"": Part.of({"seed": seed})})


def result(of: Action, status: str = "succeeded", value: float = 0.5) -> ActionResult:
    """An attempt of an action."""
    return ActionResult(
        action=of.digest,
        name="e/1",
        attempt=0,
        status=status,
        identity={name: part.digest for name, part in of.parts},
        outputs=(),
        scores=(Score("accuracy", value, scored=10),) if status == "succeeded" else (),
        metric="accuracy",
        usage={"tokens_in": 3},
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:01:00+00:00",
        seconds=60.0,
        executor="local",
        job="j.1",
        detail="" if status == "succeeded" else "exit status 1",
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store.open(tmp_path / "store") as made:
        yield made


def reopened(store: Store) -> Store:
    """The same store as the next evalmake sees it."""
    store.close()
    return Store.open(store.folder)


def blob_file(store: Store) -> Path:
    """The only blob that has a file."""
    [path] = store.folder.glob("??/??/*.val")
    return path


def test_commit_and_read_back(store: Store) -> None:
    """An attempt is read back as it was committed, with outputs, log and number."""
    one = action()
    head = store.commit(one, result(one), {"log": b"words", "samples.jsonl": LARGE})
    again = reopened(store)
    [attempt] = again.attempts(one.digest)

    assert again.history(one.digest) == head
    assert attempt.scores == (Score("accuracy", 0.5, scored=10),)
    assert [(o.name, o.size) for o in attempt.outputs] == [
        ("log", 5),
        ("samples.jsonl", len(LARGE)),
    ]
    assert again.blob(attempt.log) == b"words"
    assert again.blob(attempt.outputs[1].sha256) == LARGE
    assert again.part(one.parts[0][1].digest) == dict(one.parts[0][1].pairs)


def test_attempts_are_appended(store: Store) -> None:
    """Later attempts get new numbers; after a failure the last success still counts."""
    one = action()
    for status, value in (("failed", 0), ("succeeded", 0.5), ("succeeded", 0.6), ("failed", 0)):
        store.commit(one, result(one, status, value), {})
    head = reopened(store).history(one.digest)

    assert head is not None
    assert [a.status for a in store.attempts(one.digest)] == [
        "failed",
        "succeeded",
        "succeeded",
        "failed",
    ]
    assert (head.attempts, head.success, head.last) == (4, 3, "failed")
    assert head.scores[0].value == 0.6


@pytest.mark.parametrize("point", ["record_to_text", "history_to_text", "pairs_to_text"])
def test_commit_is_atomic(store: Store, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """A failure in the middle of a commit leaves nothing of the attempt."""
    one = action()
    store.commit(one, result(one, value=0.1), {"log": b"first"})
    before = {tag: store.keys_of_kind(tag) for tag in ("blob", "record", "head", "part", "last")}

    def broken(*_: object) -> str:
        raise RuntimeError(point)

    with monkeypatch.context() as patched:
        patched.setattr(records, point, broken)
        two = action(2)
        with pytest.raises(RuntimeError, match=point):
            store.commit(two, result(two), {"log": b"second", "samples.jsonl": LARGE})
    again = reopened(store)
    assert {tag: again.keys_of_kind(tag) for tag in before} == before
    assert (verify_store(again).count, verify_store(again).wrong) == (3, [])
    again.commit(two, result(two), {"log": b"second", "samples.jsonl": LARGE})
    assert reopened(again).history(two.digest) is not None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0 and "CI" not in os.environ:
        pytest.skip("mounting needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        mount.insert(0, "sudo")
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run([*mount[: mount.index("mount")], "umount", str(folder)], check=True)


def fill(store: Store, size: int, kept: list[Action]) -> None:
    """Commit outputs of `size` bytes until that fails; `kept` collects what was stored."""
    for seed in range(100):
        one = action(seed)
        store.commit(one, result(one), {"samples.jsonl": os.urandom(size)})
        kept.append(one)


@pytest.mark.parametrize("size", [40_000, 400_000])
def test_full_disk(small_disk: Path, size: int) -> None:
    """A full disk is reported as such, in the database and in files, and earlier results stay."""
    store = Store.open(small_disk / "store")
    kept: list[Action] = []
    with pytest.raises(EvalmakeError) as error, store:
        fill(store, size, kept)
    assert kept
    assert [d.code for d in error.value.diagnostics] == ["store-failed"]
    assert "full" in str(error.value) or "No space" in str(error.value)
    (help,) = error.value.diagnostics[0].help
    assert help == "free some space, then run again: finished evaluations are kept"

    subprocess.run(["mount", "-o", "remount,size=9M", str(small_disk)], check=True)
    with Store.open(small_disk / "store") as again:
        assert set(again.histories()) == {one.digest for one in kept}
        assert verify_store(again).wrong == []
        collect_garbage(again)
        assert again.find_orphan_files() == []
        one = action(1000)
        again.commit(one, result(one), {"samples.jsonl": os.urandom(size)})


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
    assert store.find_damage(head) is None
    if damage == "cut":
        os.truncate(blob_file(store), 100)
    else:
        blob_file(store).unlink()
    found = reopened(store).find_damage(head)
    assert found is not None
    assert found.endswith("is missing from the store or damaged")


def test_lost_row_at_planning(store: Store) -> None:
    """Planning notices an output whose row is gone, and `verify` names its user."""
    one = action()
    head = store.commit(one, result(one), {"log": b"words"})
    [key] = store.keys_of_kind("blob")
    store.remove_entry(key)
    again = reopened(store)
    assert again.find_damage(head) is not None
    assert verify_store(again).wrong == [f"e/1 (attempt 1): its output sha256:{key[5:]} is missing"]


def test_garbage(store: Store) -> None:
    """Garbage collection deletes the rows and files that a killed commit left, and nothing else."""
    one = action()
    store.commit(one, result(one), {"log": b"words", "samples.jsonl": LARGE})
    assert find_garbage(store) == []
    folder = blob_file(store).parent
    (folder / "ab12.val").write_bytes(b"torn")
    with store.database.transaction():
        store.database.put("blob/" + "0" * 64, b"nobody's", "blob")

    found = find_garbage(store)
    assert [(item.key, item.size) for item in found] == [
        ("blob/" + "0" * 64, 8),
        (f"file/{folder.relative_to(store.folder)}/ab12.val", 4),
    ]
    assert find_garbage(store) == found
    assert collect_garbage(store) == found
    assert find_garbage(store) == []
    assert (verify_store(store).count, verify_store(store).wrong) == (4, [])


def test_scores_keep_their_clusters(store: Store) -> None:
    """Records and histories keep the number of clusters."""
    made = replace(result(action()), scores=(Score("accuracy", 0.5, 0.1, scored=10, clusters=4),))
    head = store.commit(action(), made, {})
    assert head.scores == made.scores
    [attempt] = reopened(store).attempts(head.action)
    assert attempt.scores == made.scores
    assert reopened(store).history(head.action) == head


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
        assert "its record is damaged" in (again.find_damage(damaged) or "")
    with pytest.raises(EvalmakeError, match="is damaged"), Store.open(store.folder) as again:
        again.attempt(one.digest, 1)


def put(store: Store, key: str, text: str) -> None:
    """Store any text under a key."""
    with store.database.transaction():
        store.database.put(key, text, key.partition("/")[0])


def test_damaged_database(store: Store) -> None:
    """Garbage in place of the database is reported as damage."""
    store.close()
    for path in store.folder.glob("cache.db*"):
        path.write_bytes(os.urandom(8192))
    with pytest.raises(EvalmakeError, match="is damaged: file is not a database"):
        Store.open(store.folder)


def test_many_outputs(store: Store) -> None:
    """A history with so many outputs that it needs a file of its own can be read."""
    one = action()
    files = {f"part-{at}": str(at).encode() for at in range(1200)}
    store.commit(one, result(one), files)
    head = reopened(store).history(one.digest)
    assert head is not None
    assert len(head.blobs) == 1200


def test_journal(tmp_path: Path) -> None:
    """Journal entries stay until they are removed; unreadable and unfinished ones are skipped."""
    journal = Journal(tmp_path / "journal")
    assert list(journal.entries()) == []
    entry = JournalEntry("a.1", "e/1", "evaluate", "sha256:0", "local", "/work/a.1", 12.5)
    journal.write(entry)
    (journal.folder / "bad.json").write_text("{")
    (journal.folder / ".a.2.json.x.tmp").write_text("{")
    assert list(journal.entries()) == [entry]
    journal.remove("a.1")
    journal.remove("a.1")
    journal.remove_partial_entries()
    assert list(journal.entries()) == []
    assert [path.name for path in journal.folder.iterdir()] == ["bad.json"]


def test_the_baseline_is_the_last_success(tmp_path: Path) -> None:
    """The baseline of a name is its last success, else its last attempt."""
    with Store.open(tmp_path / "store", "Evalfile") as store:
        assert store.baseline("e/1") is None
        for seed, status in ((1, "failed"), (2, "succeeded"), (3, "failed"), (4, "cancelled")):
            one = action(seed)
            store.commit(one, result(one, status), {})
            assert store.baseline("e/1") == parts_of(1 if seed == 1 else 2)
        store.mark_valid({"e/1": action(1)})
        assert store.baseline("e/1") == parts_of(1)


def test_each_evalfile_has_its_baselines(tmp_path: Path) -> None:
    """Evalfiles that share a store do not see each other's baselines, and garbage collection keeps all."""
    for evalfile, seed in (("a", 1), ("b", 2)):
        with Store.open(tmp_path / "store", evalfile) as store:
            one = action(seed)
            store.commit(one, result(one), {})
    with Store.open(tmp_path / "store", "a") as store:
        assert store.baseline("e/1") == parts_of(1)
        assert {tuple(parts.items()) for _, parts in store.baselines()} == {
            tuple(parts_of(1).items()),
            tuple(parts_of(2).items()),
        }
        assert find_garbage(store) == []


def test_baselines_of_version_0_1(tmp_path: Path) -> None:
    """Where there is no newer one, the attempt that version 0.1 kept for a name is the baseline."""
    with Store.open(tmp_path / "store", "Evalfile") as store:
        one = action()
        store.commit(one, result(one), {})
    with sqlite3.connect(tmp_path / "store" / "cache.db") as database:
        text = json.dumps({"v": 1, "walk": parts_of(1)}, separators=(",", ":"))
        database.execute("UPDATE Cache SET key = 'last/e/1', value = ? WHERE tag = 'last'", (text,))
    database.close()
    with Store.open(tmp_path / "store", "Evalfile") as store:
        assert store.baseline("e/1") == parts_of(1)


def parts_of(seed: int) -> dict[str, str]:
    """The parts of the action of a seed."""
    return {name: part.digest for name, part in action(seed).parts}


SAMPLES_TEXT = b"".join(
    json.dumps({"id": str(at), "item": str(at), "scores": {"accuracy": float(at % 2)}}).encode() + b"\n"
    for at in range(10)
)
HALF = Score("accuracy", 0.5, 0.5 / 3, scored=10)


def commit_half(store: Store) -> ActionHistory:
    """An attempt whose score is the mean of its samples, one half."""
    one = action()
    return store.commit(one, replace(result(one), scores=(HALF,)), {"samples.jsonl": SAMPLES_TEXT})


def test_a_changed_history_changes_no_score(store: Store) -> None:
    """One UPDATE of a history's row has no effect: it is made from its records again, and `verify` says so."""
    head = commit_half(store)
    update(store, "head", "0.5,", "0.968,")
    with Store.open(store.folder) as again:
        assert again.history(head.action) == head
        assert again.save_rebuilt_histories() == [head.action]
    update(store, "head", "0.5,", "0.968,")
    with Store.open(store.folder) as again:
        [wrong] = verify_store(again).wrong
        assert wrong.endswith("is not what its records say; it was written again")
        assert verify_store(again).wrong == []
    with Store.read(store.folder) as again:
        assert again.history(head.action) == head


def test_a_history_sealed_anew_is_not_the_result(store: Store) -> None:
    """A history that somebody changed and sealed is not what its record says, which reading and `verify` notice."""
    head = commit_half(store)
    forged = replace(head, scores=(replace(HALF, value=0.968),))
    put(store, f"head/{head.action}", records.history_to_text(forged))
    with Store.open(store.folder) as again:
        assert again.history(head.action) == forged
        with pytest.raises(records.UnreadableRecord, match="the result of e/1 is not the one on record"):
            again.proved_result(forged)
        assert len(verify_store(again).wrong) == 1
        assert again.history(head.action) == head


@pytest.mark.parametrize("sealed", [False, True])
def test_a_changed_record(store: Store, sealed: bool) -> None:
    """A changed record makes its action stale; one that was sealed anew is not the mean of its samples."""
    head = commit_half(store)
    if sealed:
        record = store.proved_result(head)
        forged = replace(record, scores=(replace(HALF, value=0.968),))
        put(store, f"record/{head.action}/1", records.record_to_text(forged))
        put(store, f"head/{head.action}", records.history_to_text(extend_history(None, forged, "")))
        with Store.open(store.folder) as again:
            wrong = verify_store(again).wrong
        assert "e/1 (attempt 1): accuracy is 0.968 on record, and 0.5 by its samples" in wrong
        return
    update(store, "record", ":0.5,", ":0.968,")
    update(store, "head", "0.5,", "0.968,")
    with Store.open(store.folder) as again:
        damaged = again.history(head.action)
        assert damaged is not None
        assert (damaged.success, damaged.scores) == (None, ())
        assert any("it was removed" in line for line in verify_store(again).wrong)
        assert verify_store(again).wrong == []
    with Store.open(store.folder) as again:
        assert again.history(head.action) is None
        assert commit_half(again).attempts == 1


def test_records_form_a_chain(store: Store) -> None:
    """Each record names the one before it, so `verify` notices one that was replaced by another that is whole."""
    commit_half(store)
    commit_half(store)
    one = action()
    [first, second] = store.attempts(one.digest)
    assert (first.previous, second.previous) == ("", store.record_digest(one.digest, 1))
    put(store, f"record/{one.digest}/1", records.record_to_text(replace(first, executor="elsewhere")))
    assert verify_store(store).wrong == ["e/1 (attempt 2): the record before it was replaced"]


def test_no_attempt_is_replaced(store: Store) -> None:
    """Where the history of an action is lost, the next attempt still gets a number of its own."""
    head = commit_half(store)
    store.remove_entry(f"head/{head.action}")
    with Store.open(store.folder) as again:
        assert again.history(head.action) is None
        assert commit_half(again).attempts == 2
        assert [attempt.attempt for attempt in again.attempts(head.action)] == [1, 2]


def test_settings_of_the_database(store: Store) -> None:
    """Damaged settings of the database are written anew, and evict nothing."""
    head = commit_half(store)
    store.close()
    for change in ("key = 'disk_min_fxle_size' WHERE key = 'disk_min_file_size'", "value = 'x'", "value = x'ff'"):
        with sqlite3.connect(store.folder / "cache.db") as database:
            database.execute(f"UPDATE Settings SET {change}")
        database.close()
        with Store.open(store.folder) as again:
            assert again.history(head.action) == head
            head = commit_half(again)


def test_reading_creates_nothing(tmp_path: Path) -> None:
    """A store that does not exist is empty for whoever reads it, and stays absent."""
    with Store.read(tmp_path / "store") as store:
        assert store.histories() == {}
        assert store.baseline("e/1") is None
        with pytest.raises(EvalmakeError, match="cannot use"):
            store.commit(action(), result(action()), {})
    assert list(tmp_path.iterdir()) == []


def update(store: Store, tag: str, old: str, new: str) -> None:
    """Replace a text in every row of a kind, as somebody at the database could."""
    store.close()
    with sqlite3.connect(store.folder / "cache.db") as database:
        query = "UPDATE Cache SET value = replace(value, ?, ?) WHERE tag = ?"
        assert database.execute(query, (old, new, tag)).rowcount == 1
    database.close()
