"""A store that a group shares, one that may only be read, and modes under a lax umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.store.store import Store
from tests.support.other_users import GROUP, make_python, run_as
from tests.support.workspaces import SUMS, Bench

FIRST, SECOND = 5001, 5002
EVALFILE = """\
    settings {{
        store = "../store"
        {shared}
    }}
    deployment good {{
        engine = mock
        args   = {{ skill = 0.6, seed = 1 }}
    }}
    model master {{
        deployment = good
        name       = "master"
    }}
    eval sums {{
        model     = master
        benchmark = sums
        seed      in 1..2
    }}
"""
READERS = (
    ["-n"],
    ["-q"],
    ["why", "sums"],
    ["logs", "sums"],
    ["history"],
    ["audit", "sums"],
    ["outputs", "sums"],
    ["verify"],
    ["replies"],
    [],
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that other users can reach, with `store` for the group."""
    if os.geteuid() != 0:
        pytest.skip("acting as other users needs root")
    place = Path("/tmp") / f"evalmake-shared-{os.getpid()}-{tmp_path.name}"
    place.mkdir()
    (place / "store").mkdir()
    os.chown(place / "store", 0, GROUP)
    (place / "store").chmod(0o2775)
    yield place
    shutil.rmtree(place)


def checkout(folder: Path, user: int, shared: str = "") -> Bench:
    """A folder of a user with the Evalfile."""
    bench = Bench(folder / str(user), {**os.environ, "PYTHON": make_python(folder)})
    bench.root.mkdir()
    bench.evalfile(EVALFILE.format(shared=shared), SUMS)
    bench.sums(4)
    for path in (bench.root, *bench.root.iterdir()):
        os.chown(path, user, GROUP)
    return bench


def test_a_group_shares_a_store(folder: Path) -> None:
    """What one user has built is up to date for another, who can add to the store; others cannot write to it."""
    first, second = (checkout(folder, user, "shared = group") for user in (FIRST, SECOND))
    ended = run_as(FIRST, first, [], umask=0o077)
    assert ended.status == 0, ended.text
    for words in READERS:
        ended = run_as(SECOND, second, words)
        assert ended.status == 0, (words, ended.text)
    second.edit("1..2", "1..3")
    ended = run_as(SECOND, second, [])
    assert ended.status == 0, ended.text
    assert "1 ran, 2 reused" in ended.out
    first.edit("1..2", "1..3")
    assert run_as(FIRST, first, ["-q"]).status == 0
    assert run_as(FIRST, first, ["verify"]).status == 0
    assert writable_by(folder / "store", stat.S_IWOTH) == []
    assert {path.stat().st_gid for path in (folder / "store").rglob("*")} == {GROUP}


def test_a_store_that_may_only_be_read(folder: Path) -> None:
    """Without `shared`, another user of the group can read everything, and is told why a build cannot write."""
    first, second = (checkout(folder, user) for user in (FIRST, SECOND))
    (folder / "store").chmod(0o2755)
    os.chown(folder / "store", FIRST, GROUP)
    assert run_as(FIRST, first, []).status == 0
    for words in READERS:
        ended = run_as(SECOND, second, words)
        if words == ["replies"]:
            assert (ended.status, "Permission denied" in ended.text) == (2, True)
            assert f"only user {FIRST} may read it" in ended.text
            assert "replies clear" not in ended.text
        else:
            assert ended.status == 0, (words, ended.text)
    assert f"only user {FIRST} may read it" in run_as(SECOND, second, ["gc", "--dry-run"]).text
    second.edit("1..2", "1..3")
    ended = run_as(SECOND, second, [])
    assert ended.status == 2
    assert "this user may not write to" in ended.err
    assert "[store-failed]" in ended.err
    assert "shared = group" in ended.err


def test_a_lax_umask_lets_nobody_in(folder: Path) -> None:
    """Under umask 000, nothing of a workspace is writable by others, and the folders of jobs are their user's."""
    first = checkout(folder, FIRST)
    os.chown(folder / "store", FIRST, GROUP)
    (folder / "store").chmod(0o755)
    first.edit("model     = master", "model     = master\n        timeout   = 5m")
    assert run_as(FIRST, first, [], umask=0).status == 0
    places = [first.root / ".evalmake", folder / "store"]
    assert [path for place in places for path in writable_by(place, stat.S_IWOTH | stat.S_IWGRP)] == []


def test_a_read_only_disk(tmp_path: Path) -> None:
    """On a read-only disk everything can be read, and a build with nothing to do works."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    bench = Bench(tmp_path)
    bench.evalfile(EVALFILE.format(shared="").replace('store = "../store"', ""), SUMS)
    bench.sums(4)
    assert bench.run().status == 0
    subprocess.run(["mount", "--bind", bench.root, bench.root], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", bench.root], check=True)
        for words in READERS:
            ended = bench.run(*words)
            assert (ended.status, ended.err) == (0, ""), (words, ended.text)
        for words in (["-B"], ["gc"]):
            ended = bench.run(*words)
            assert ended.status == 2
            assert "the file system is read-only [store-failed]" in ended.err
            assert "replies clear" not in ended.err
    finally:
        subprocess.run(["umount", "--lazy", bench.root], check=True)


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """SQLite's limit on paths is told with the length of the path."""
    folder = tmp_path.joinpath(*["x" * 100] * 6)
    with pytest.raises(EvalmakeError, match=r"its path has \d+ bytes, and SQLite takes 500"):
        Store.open(folder)


def writable_by(folder: Path, bits: int) -> list[Path]:
    """What is below a folder and has one of these bits; links have all."""
    found = (path for path in (folder, *folder.rglob("*")) if not path.is_symlink())
    return [path for path in found if path.stat().st_mode & bits]
