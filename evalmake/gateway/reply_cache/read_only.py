"""Caches that are only read: nothing is written to them, not even by opening them.

`diskcache` writes its settings into every cache that it opens, so a seed's table is read directly.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

DATABASE = "cache.db"


class Seed:
    """One folder that another gateway's cache is in, or was copied to."""

    def __init__(self, folder: Path, ours: bool = False) -> None:
        """Open it; sqlite3.Error if it is none.

        `ours`: a gateway may begin to write to it at any time, and sqlite may keep files beside it.
        """
        self.folder = folder
        self.connection = _opened(folder, "mode=rw") if ours else only_read(folder)
        self.connection.execute("SELECT count(*) FROM Settings").fetchone()

    def get(self, key: str) -> bytes | None:
        """What is kept under a key; sqlite3.Error or OSError where it cannot be read."""
        query = "SELECT value, filename FROM Cache WHERE key = ? AND raw = 1"
        row = self.connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        value, name = row
        data = (self.folder / name).read_bytes() if name else value
        return data if isinstance(data, bytes) else None

    def close(self) -> None:
        """Let go of it."""
        self.connection.close()


def only_read(folder: Path) -> sqlite3.Connection:
    """The database in a folder, opened so that nothing is written; sqlite3.Error if it is none."""
    in_use = folder.joinpath(f"{DATABASE}-wal").exists()
    try:
        return _opened(folder, "mode=ro" if in_use else "mode=ro&immutable=1")
    except sqlite3.OperationalError:  # its folder cannot be written to, so nobody does
        return _opened(folder, "mode=ro&immutable=1")


def _opened(folder: Path, options: str) -> sqlite3.Connection:
    address = f"{(folder / DATABASE).absolute().as_uri()}?{options}"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection
