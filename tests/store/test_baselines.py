"""Baselines: the result that a cell is compared with, to say what has changed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from evalmake.store.garbage_collection import find_garbage
from evalmake.store.store import Store
from tests.support.stores import action, result


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
