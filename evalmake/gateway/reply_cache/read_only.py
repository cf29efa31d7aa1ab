"""Caches that are only read: nothing is written to them, not even by opening them.

`diskcache` writes its settings into every cache that it opens, so this module reads the table itself.
"""

from __future__ import annotations

from pathlib import Path

from evalmake.disk_database import DATABASE as DATABASE
from evalmake.disk_database import connect_for_reading, connect_read_only, find_value_file


class ReadOnlyCache:
    """A folder with the cache of another gateway, or a copy of one."""

    def __init__(self, folder: Path, in_use: bool = False) -> None:
        """Open it; raises sqlite3.Error if the folder holds no cache.

        `in_use`: a gateway may start to write at any time, so sqlite may create its files next to the database.
        """
        self.folder = folder
        self.connection = connect_for_reading(folder) if in_use else connect_read_only(folder)
        self.connection.execute("SELECT count(*) FROM Settings").fetchone()

    def get(self, key: str) -> bytes | None:
        """The value under a key; raises sqlite3.Error or OSError when it cannot be read."""
        query = "SELECT value, filename FROM Cache WHERE key = ? AND raw = 1"
        row = self.connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        value, name = row
        data = find_value_file(self.folder, name).read_bytes() if name else value
        return data if isinstance(data, bytes) else None

    def close(self) -> None:
        """Close the database."""
        self.connection.close()
