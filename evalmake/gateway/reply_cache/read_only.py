"""Caches that are only read: nothing is written to them, not even by opening them.

`diskcache` writes its settings into every cache that it opens, so this module reads the table itself.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

DATABASE = "cache.db"


class ReadOnlyCache:
    """A folder with the cache of another gateway, or a copy of one."""

    def __init__(self, folder: Path, in_use: bool = False) -> None:
        """Open it; raises sqlite3.Error if the folder holds no cache.

        `in_use`: a gateway may start to write at any time, so sqlite may create its files next to the database.
        """
        self.folder = folder
        self.connection = _connect(folder, "mode=rw") if in_use else connect_read_only(folder)
        self.connection.execute("SELECT count(*) FROM Settings").fetchone()

    def get(self, key: str) -> bytes | None:
        """The value under a key; raises sqlite3.Error or OSError when it cannot be read."""
        query = "SELECT value, filename FROM Cache WHERE key = ? AND raw = 1"
        row = self.connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        value, name = row
        data = (self.folder / name).read_bytes() if name else value
        return data if isinstance(data, bytes) else None

    def close(self) -> None:
        """Close the database."""
        self.connection.close()


def connect_read_only(folder: Path) -> sqlite3.Connection:
    """Open the database in a folder without writing anything; raises sqlite3.Error if there is none."""
    in_use = folder.joinpath(f"{DATABASE}-wal").exists()
    try:
        return _connect(folder, "mode=ro" if in_use else "mode=ro&immutable=1")
    except sqlite3.OperationalError:  # the folder is not writable, so nobody else writes either
        return _connect(folder, "mode=ro&immutable=1")


def _connect(folder: Path, options: str) -> sqlite3.Connection:
    address = f"{(folder / DATABASE).absolute().as_uri()}?{options}"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection
