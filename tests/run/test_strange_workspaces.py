"""A workspace that a stranger committed: nothing outside it is read, written or removed through it."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.gateway.reply_cache.cache import open_disk_cache
from tests.support.shared_folders import make_once
from tests.support.workspaces import SCORE, TRIED, Bench

BIG = "head -c 200000 /dev/urandom > $EVALMAKE_OUT/samples.bin\n"
COMMANDS = (["-n"], [], ["verify"], ["gc"], ["replies", "--clear"], ["clean"], ["-B"])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of two results, each with an output in a file of its own."""

    def make(folder: Path) -> None:
        bench = Bench(folder)
        bench.evalfile(TRIED)
        bench.edit("1..8", "1..2")
        bench.job(BIG + SCORE)
        assert bench.run().status == 0
        with open_disk_cache(folder / ".evalmake" / "store" / "replies", 1 << 40) as cache:
            cache.set("key", b"x" * 200_000)

    return make_once(tmp_path_factory, "strange-stores", make)


@pytest.fixture
def mine(bench: Bench, original: Path) -> Path:
    """A folder of the user's beside such a workspace."""
    project = bench.root / "project"
    shutil.copytree(original, project)
    bench.root = project
    folder = project.parent / "mine"
    (folder / "sub").mkdir(parents=True)
    for name in ("id_rsa", "a.val", "sub/notes"):
        (folder / name).write_text("mine")
    return folder


def name_file(root: Path, mine: Path) -> None:
    """Name a file of the user as that of every value in the store."""
    with contextlib.closing(sqlite3.connect(root / ".evalmake/store/cache.db", isolation_level=None)) as database:
        database.execute("UPDATE Cache SET filename = ?, value = NULL", (str(mine / "id_rsa"),))


def name_file_from_the_store(root: Path, mine: Path) -> None:
    """The same for outputs, from the store's folder on."""
    name = os.path.relpath(mine / "id_rsa", root / ".evalmake/store")
    with contextlib.closing(sqlite3.connect(root / ".evalmake/store/cache.db", isolation_level=None)) as database:
        database.execute("UPDATE Cache SET filename = ? WHERE filename IS NOT NULL", (name,))


def name_file_in_replies(root: Path, mine: Path) -> None:
    """The same in the reply cache."""
    path = root / ".evalmake/store/replies/cache.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE Cache SET filename = ?", (str(mine / "id_rsa"),))


def link_value(root: Path, mine: Path) -> None:
    """Link the folder of an output to the user's, and move its file there."""
    file = next((root / ".evalmake/store").glob("??/??/*.val"))
    file.rename(mine / file.name)
    file.parent.rmdir()
    file.parent.symlink_to(mine)


SPOILS = (name_file, name_file_from_the_store, name_file_in_replies, link_value)


def list_files(folder: Path) -> dict[str, str]:
    """The texts of all files in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 100)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_database_that_names_files_of_the_user(bench: Bench, mine: Path, spoil: Callable[[Path, Path], None]) -> None:
    """No command removes, changes or shows what a committed database or a link in the store leads to."""
    spoil(bench.root, mine)
    before = sorted(mine.rglob("*"))
    for words in COMMANDS:
        ended = bench.run(*words)
        assert ended.status in (0, 2), ended.text
        assert sorted(mine.rglob("*")) == before, words
        assert set(list_files(mine).values()) == {"mine"}, words


@pytest.mark.parametrize("name", ["logs/good.log", "inputs/abc", "cache/checked-data/x", "work/j.1", "store/replies/a"])
def test_links_in_folders_of_a_workspace(bench: Bench, mine: Path, name: str) -> None:
    """A link in a folder where evalmake writes is refused, with what to do."""
    link = bench.root / ".evalmake" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mine / "id_rsa")
    ended = bench.run()
    assert ended.status == 2
    assert f"`.evalmake/{name}` is a link out of the project" in ended.err
    assert set(list_files(mine).values()) == {"mine"}


@pytest.mark.parametrize("name", ["lock", "generation", "replies"])
def test_links_in_a_store_that_is_set(bench: Bench, mine: Path, name: str) -> None:
    """The same holds for a store that the settings put elsewhere in the project."""
    bench.evalfile('settings { store = "kept" }\n', (bench.root / "Evalfile").read_text())
    (bench.root / "kept").mkdir()
    (bench.root / "kept" / name).symlink_to(mine / "id_rsa")
    ended = bench.run()
    assert ended.status == 2
    assert f"`kept/{name}` is a link out of the project" in ended.err
    assert set(list_files(mine).values()) == {"mine"}


def test_no_new_file_goes_through_a_link(tmp_path: Path) -> None:
    """A value is not stored in a folder that is a link."""
    folder, mine = tmp_path / "store", tmp_path / "mine"
    folder.mkdir()
    mine.mkdir()
    for number in range(256):
        (folder / f"{number:02x}").symlink_to(mine)
    with open_disk_cache(folder, 1 << 40) as cache, pytest.raises(OSError, match="it is a link"):
        cache.set("key", b"x" * 200_000)
    assert list(mine.iterdir()) == []


class Bomb:
    """An object whose pickle leaves a file behind when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_in_the_reply_cache(tmp_path: Path) -> None:
    """No object is loaded from a reply cache."""
    with open_disk_cache(tmp_path / "replies", 1 << 40) as cache:
        cache.set("key", b"x")
        with cache.transact():
            text = pickle.dumps(Bomb(tmp_path / "exploded"))
            cache._sql("UPDATE Cache SET mode = 4, value = ?", (sqlite3.Binary(text),))
        assert cache.get("key") is None
    assert not (tmp_path / "exploded").exists()
