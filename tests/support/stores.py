"""A store for tests: actions and attempts to commit, and ways to damage what is stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evalmake.planner.action import Action, ActionResult
from evalmake.planner.digest import Part
from evalmake.scoring.score import Score
from evalmake.store.store import Store

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


def reopened(store: Store) -> Store:
    """The same store as the next evalmake sees it."""
    store.close()
    return Store.open(store.folder)


def blob_file(store: Store) -> Path:
    """The only blob that has a file."""
    [path] = store.folder.glob("??/??/*.val")
    return path


def put(store: Store, key: str, text: str) -> None:
    """Store any text under a key."""
    with store.database.transaction():
        store.database.put(key, text, key.partition("/")[0])


def update(store: Store, tag: str, old: str, new: str) -> None:
    """Replace a text in every row of a kind, as somebody at the database could."""
    store.close()
    with sqlite3.connect(store.folder / "cache.db") as database:
        query = "UPDATE Cache SET value = replace(value, ?, ?) WHERE tag = ?"
        assert database.execute(query, (old, new, tag)).rowcount == 1
    database.close()
