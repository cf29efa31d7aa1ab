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
from evalmake.scoring.score import Score
from evalmake.store import records
from evalmake.store.garbage_collection import collect_garbage, find_garbage
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
    assert verify_store(again) == (2, [])
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
        assert verify_store(again)[1] == []
        collect_garbage(again)
        assert again.find_orphan_files() == []
        one = action(1000)
        again.commit(one, result(one), {"samples.jsonl": os.urandom(size)})


def test_damaged_file(store: Store) -> None:
    """`verify` finds a blob whose file was changed; storing the same content repairs it."""
    one = action()
    store.commit(one, result(one), {"samples.jsonl": LARGE})
    blob_file(store).write_bytes(LARGE[:-1] + b"x")
    [wrong] = verify_store(store)[1]
    assert wrong.endswith("is missing or damaged; it was removed from e/1 (attempt 1)")

    store.commit(one, result(one), {"samples.jsonl": LARGE})
    assert verify_store(store)[1] == []


def test_damaged_row(store: Store) -> None:
    """`verify` finds a blob or part that was changed in the database."""
    one = action()
    store.commit(one, result(one), {"log": b"words"})
    store.close()
    with sqlite3.connect(store.folder / "cache.db") as database:
        database.execute("UPDATE Cache SET value = x'00' WHERE tag = 'blob'")
        text = records.pairs_to_text({"seed": "2"})
        database.execute("UPDATE Cache SET value = ? WHERE tag = 'part'", (text,))
    database.close()
    wrong = verify_store(Store.open(store.folder))[1]
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
    assert verify_store(again)[1] == [f"e/1 (attempt 1): its output sha256:{key[5:]} is missing"]


def test_garbage(store: Store) -> None:
    """Garbage collection deletes the rows and files that a killed commit left, and nothing else."""
    one = action()
    store.commit(one, result(one), {"log": b"words", "samples.jsonl": LARGE})
    assert find_garbage(store) == []
    folder = blob_file(store).parent
    (folder / "ab12.val").write_bytes(b"torn")
    store._cache.set("blob/" + "0" * 64, b"nobody's", tag="blob")

    found = find_garbage(store)
    assert [(item.key, item.size) for item in found] == [
        ("blob/" + "0" * 64, 8),
        (f"file/{folder.relative_to(store.folder)}/ab12.val", 4),
    ]
    assert find_garbage(store) == found
    assert collect_garbage(store) == found
    assert find_garbage(store) == []
    assert verify_store(store) == (3, [])


def test_scores_keep_their_clusters(store: Store) -> None:
    """A history keeps the number of clusters; one that was written without it has none."""
    made = replace(result(action()), scores=(Score("accuracy", 0.5, 0.1, scored=10, clusters=4),))
    assert records.record_from_text(records.record_to_text(made)).scores == made.scores
    head = store.commit(action(), made, {})
    text = records.history_to_text(head)
    assert records.history_from_text(head.action, text).scores == made.scores
    row = json.loads(text)
    row[6] = [score[:8] for score in row[6]]
    assert records.history_from_text(head.action, json.dumps(row)).scores[0].clusters is None


def test_newer_records(store: Store) -> None:
    """A store that a later evalmake wrote is refused, with one message."""
    one = action()
    head = store.commit(one, result(one), {})
    row = json.loads(records.history_to_text(head))
    store._cache.set(f"head/{one.digest}", json.dumps([99, *row[1:]]), tag="head")
    with (
        pytest.raises(EvalmakeError, match="was written by a newer evalmake"),
        reopened(store) as again,
    ):
        again.histories()


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", "null", "[1,2,3,4,5,6,7]", '"x"'])
def test_unreadable_records(store: Store, text: str) -> None:
    """A record that cannot be read is reported as damage."""
    one = action()
    store.commit(one, result(one), {})
    store._cache.set(f"head/{one.digest}", text, tag="head")
    store._cache.set(f"record/{one.digest}/1", text, tag="record")
    with pytest.raises(EvalmakeError, match="is damaged"), reopened(store) as again:
        again.histories()
    with pytest.raises(EvalmakeError, match="is damaged"), Store.open(store.folder) as again:
        again.attempt(one.digest, 1)


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
        database.execute("UPDATE Cache SET key = 'last/e/1' WHERE tag = 'last'")
    database.close()
    with Store.open(tmp_path / "store", "Evalfile") as store:
        assert store.baseline("e/1") == parts_of(1)


def parts_of(seed: int) -> dict[str, str]:
    """The parts of the action of a seed."""
    return {name: part.digest for name, part in action(seed).parts}
