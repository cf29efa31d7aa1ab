"""The errors for a full disk, a damaged store, and a store of a later evalmake."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalmake.disk_database import explain_failure
from tests.support.shared_folders import make_once
from tests.support.workspaces import SCORE, TRIED, Bench, rewrite

BIG = "head -c 200000 /dev/urandom > $EVALMAKE_OUT/samples.bin\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two results, each with an output in a file of its own."""

    def make(folder: Path) -> None:
        bench = Bench(folder)
        bench.evalfile(TRIED)
        bench.edit("1..8", "1..2")
        bench.job(BIG + SCORE)
        assert bench.run().status == 0

    return make_once(tmp_path_factory, "store-errors", make)


@pytest.fixture
def built(bench: Bench, original: Path) -> Bench:
    """A workspace of two results, each with an output in a file of its own."""
    shutil.copytree(original, bench.root, dirs_exist_ok=True)
    return bench


@pytest.fixture
def small(bench: Bench) -> Iterator[Bench]:
    """A workspace on a file system of a megabyte and a half."""
    if os.geteuid() != 0:
        if "CI" in os.environ:
            pytest.fail("mounting needs root")
        pytest.skip("mounting needs root")
    root = bench.root / "small"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", root], check=True)
    yield Bench(root, bench.env, bench.started)
    subprocess.run(["umount", "--lazy", root], check=True)


def test_full_disk(small: Bench) -> None:
    """A full disk ends the build with a message; once there is space, the next build continues."""
    small.evalfile(TRIED)
    small.job(BIG + SCORE)
    ended = small.run("-j", "1")

    assert ended.status == 2
    assert "No space left on device" in ended.err or "disk is full" in ended.err
    assert "[store-failed]" in ended.err or "[job-failed]" in ended.err
    assert small.left() == []
    subprocess.run(["mount", "-o", "remount,size=20M", small.root], check=True)
    kept = set(small.scores())
    assert 0 < len(kept) < 8
    again = small.run()
    assert again.status == 0, again.text
    done = [a.name for a in small.attempts() if a.status == "succeeded"]
    assert sorted(done) == [f"tried/{seed}" for seed in range(1, 9)]
    small.clean()


def test_a_full_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite calls a full quota an I/O error; the system is asked what it is, and nothing is left of that."""
    assert explain_failure(tmp_path, "disk I/O error")[0] == "disk I/O error"

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", refuse)
    reason, help = explain_failure(tmp_path / "store", "disk I/O error")
    assert reason == "Disk quota exceeded"
    assert help == "free some space, or ask for a larger quota, then run again: finished evaluations are kept"
    assert explain_failure(tmp_path, "attempt to write a readonly database")[0] != reason
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_lost_output_reruns_its_evaluation(built: Bench, damage: str) -> None:
    """A missing or cut output makes its evaluation stale, with that reason, and no other."""
    lost = next((built.root / ".evalmake" / "store").glob("??/??/*.val"))
    if damage == "cut":
        os.truncate(lost, 100)
    else:
        lost.unlink()
    plan = built.run("-n").out
    assert "is missing from the store or damaged" in plan
    assert "= 1 up to date" in plan
    assert built.run("verify").status == 2
    assert "1 ran, 1 reused" in built.run("-v").out


def test_altered_output_is_found(built: Bench) -> None:
    """`verify` names a blob whose bytes were changed, with status 2."""
    changed = next((built.root / ".evalmake" / "store").glob("??/??/*.val"))
    changed.write_bytes(bytes(changed.stat().st_size))
    ended = built.run("verify")
    assert ended.status == 2
    assert "the content is missing or damaged" in ended.out
    assert "removed from tried/" in ended.out
    assert ended.out.splitlines()[-1].endswith("entries verified, 1 do not match")
    assert "is missing from the store or damaged" in built.run("-n").out
    assert "1 ran" in built.run().out
    assert built.run("verify").status == 0


def test_gc(built: Bench) -> None:
    """`gc -n` names what a killed commit left, `gc` deletes it, and results stay."""
    folder = next((built.root / ".evalmake" / "store").glob("??/??"))
    (folder / "torn.val").write_bytes(b"torn")
    for words in (["gc", "--dry-run"], ["gc"]):
        text = built.run(*words).out
        assert text.splitlines()[-1].startswith("1 entries, 4 bytes")
    assert built.run("gc").out.startswith("0 entries")
    assert built.run().out.startswith("nothing to do")
    built.clean()


READERS = (["-n"], ["why", "tried"], ["verify"], ["gc"], ["logs", "tried"], [])


def test_standings_of_a_later_evalmake(built: Bench) -> None:
    """Every command refuses a store that a later version wrote, with one message."""
    rewrite(built.root, "head", lambda row: [99, *row[1:]])
    for words in READERS:
        ended = built.run(*words)
        assert ended.status == 2
        assert "was written by a newer evalmake [newer-store]" in ended.err


def test_records_of_a_later_evalmake(built: Bench) -> None:
    """Commands that read single attempts refuse such a store, too."""
    rewrite(built.root, "record", lambda record: record | {"v": 99, "more": 1})
    for words in (["verify"], ["gc"], ["logs", "tried"]):
        ended = built.run(*words)
        assert ended.status == 2
        assert "was written by a newer evalmake [newer-store]" in ended.err


def test_garbage_for_a_database(built: Bench) -> None:
    """Garbage in place of the database is reported as damage, with advice."""
    for path in (built.root / ".evalmake" / "store").glob("cache.db*"):
        path.write_bytes(os.urandom(8192))
    for words in READERS:
        ended = built.run(*words)
        assert ended.status == 2
        assert "is damaged: file is not a database [store-damaged]" in ended.err
        assert "help: move it away" in ended.err


def test_database_without_its_table(built: Bench) -> None:
    """A store that has lost all of its rows is damaged for `verify`, too, which does not hide that by a new table."""
    with contextlib.closing(sqlite3.connect(built.root / ".evalmake" / "store" / "cache.db")) as database:
        database.execute("DROP TABLE Cache")
    for words in (["verify"], ["-n"], ["verify"]):
        ended = built.run(*words)
        assert ended.status == 2
        assert "is damaged: no such table: Cache [store-damaged]" in ended.err


def test_half_a_database(built: Bench) -> None:
    """A database whose second half is garbage gives a message, whatever is read from it."""
    path = built.root / ".evalmake" / "store" / "cache.db"
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(size // 2)
        stream.write(os.urandom(size - size // 2))
    assert built.run("verify").status == 2
    for words in (["-n"], []):
        ended = built.run(*words)
        assert ended.status == 2
        assert "[store-damaged]" in ended.err


def test_database_that_cannot_be_opened(built: Bench) -> None:
    """The message names a store that cannot be opened, with the reason."""
    store: Path = built.root / ".evalmake" / "store"
    for path in store.glob("cache.db*"):
        path.unlink()
    (store / "cache.db").mkdir()
    ended = built.run("-n")
    assert ended.status == 2
    assert f"cannot use {store}: {store}/cache.db is no file [store-failed]" in ended.err


def test_reverted_edit_reuses_old_results(built: Bench) -> None:
    """A value that is changed and changed back runs nothing the second time."""
    built.edit("1..2", "1..2\n        params    = { temperature = 0.7 }")
    assert "2 ran" in built.run().out
    built.edit("1..2\n        params    = { temperature = 0.7 }", "1..2")
    assert built.run().out == "nothing to do: 2 evaluations up to date\n"
    assert len(built.attempts()) == 4
    assert built.run("-q").status == 0
    built.edit("1..2", "1..3")
    question = built.run("-q")
    assert (question.status, question.text) == (1, "")
