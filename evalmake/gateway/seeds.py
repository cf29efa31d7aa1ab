"""Caches that are only read: nothing is written to them, not even by opening them.

`diskcache` writes its settings into every cache that it opens, so a seed's table is read directly.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

_DATABASE = "cache.db"


class Seed:
    """One folder that another gateway's cache is in, or was copied to."""

    def __init__(self, folder: Path) -> None:
        """Open it; sqlite3.Error if it is none."""
        self._folder = folder
        in_use = folder.joinpath(f"{_DATABASE}-wal").exists()
        try:
            self._connection = self._open("mode=ro" if in_use else "mode=ro&immutable=1")
        except sqlite3.OperationalError:  # its folder cannot be written to, so nobody does
            self._connection = self._open("mode=ro&immutable=1")

    def get(self, key: str) -> bytes | None:
        """What is kept under a key; sqlite3.Error or OSError where it cannot be read."""
        query = "SELECT value, filename FROM Cache WHERE key = ? AND raw = 1"
        row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        value, name = row
        data = (self._folder / name).read_bytes() if name else value
        return data if isinstance(data, bytes) else None

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def _open(self, options: str) -> sqlite3.Connection:
        address = f"{(self._folder / _DATABASE).absolute().as_uri()}?{options}"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        connection.execute("SELECT count(*) FROM Settings").fetchone()
        return connection
