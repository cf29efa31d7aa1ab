"""The store: commits are atomic and append-only, and are read back as they were."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.action import Action
from evalmake.scoring.score import Score
from evalmake.store import database, records
from evalmake.store.database import Database
from evalmake.store.garbage_collection import collect_garbage, find_garbage
from evalmake.store.store import Store
from evalmake.store.verification import verify_store
from tests.support.stores import LARGE, action, blob_file, reopened, result


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
        assert find_garbage(again) == []
        one = action(1000)
        again.commit(one, result(one), {"samples.jsonl": os.urandom(size)})


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


def test_many_outputs(store: Store) -> None:
    """A history with so many outputs that it needs a file of its own can be read."""
    one = action()
    files = {f"part-{at}": str(at).encode() for at in range(1200)}
    store.commit(one, result(one), files)
    head = reopened(store).history(one.digest)
    assert head is not None
    assert len(head.blobs) == 1200


def test_reading_creates_nothing(tmp_path: Path) -> None:
    """A store that does not exist is empty for whoever reads it, and stays absent."""
    with Store.read(tmp_path / "store") as store:
        assert store.histories() == {}
        assert store.baseline("e/1") is None
        with pytest.raises(EvalmakeError, match="cannot use"):
            store.commit(action(), result(action()), {})
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_created_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a store that is being created finds it empty, at each step."""
    folder = tmp_path / "store"
    open_writer = database._open_writer
    seen = []

    def read() -> None:
        seen.append(Database.open_for_reading(folder).rows("SELECT key FROM Cache"))

    def open_and_read(place: Path) -> Any:
        read()
        writer = open_writer(place)
        read()
        return writer

    monkeypatch.setattr(database, "_open_writer", open_and_read)
    Database.open(folder).close()
    assert seen == [[]] * 4
    assert not list(folder.glob("new-*"))
