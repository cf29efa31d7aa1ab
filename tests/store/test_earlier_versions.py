"""Stores that earlier versions wrote: each opens, and no result in it runs again."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.support.workspaces import Bench

STORES = sorted((Path(__file__).parent / "stores").glob("*.tar.gz"))


@pytest.fixture(params=STORES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A workspace that the version in the file's name left behind."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return Bench(tmp_path)


def test_nothing_is_to_do(bench: Bench) -> None:
    """Every result and report of an earlier version still counts, and its store is whole."""
    ended = bench.run()
    assert (ended.status, ended.out) == (0, "nothing to do: 6 evaluations up to date\n"), ended.text
    bench.clean()


def test_a_change_runs_its_own_cells_only(bench: Bench) -> None:
    """With one more seed, the results of the earlier version are reused and only the new cells run."""
    bench.edit("seed      in 1..2", "seed      in 1..3")
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert "2 ran, 6 reused" in ended.out
