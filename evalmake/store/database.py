"""The database of a store: a table of texts and bytes by key, written by diskcache and read by plain SQL.

diskcache evicts by default; here it never may. It trusts the settings that it finds in the database, so all are
given. It may unpickle what it reads, so it never reads. Its table (`Cache`) is unchanged since its version 3.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from evalmake.disk_database import DATABASE, connect_for_reading, create_database, delete_settings, find_value_file
from evalmake.language.regular_file import check_regular
from evalmake.store.failure import store_failed, unreadable_file

_ENDLESS = 1 << 60
_FILE_FROM = 1 << 16  # bytes: a larger value has a file of its own
_EMPTY = "CREATE TABLE Cache (key, raw, tag, size, filename, value)"
Row = tuple[Any, ...]


class Database:
    """The table in `folder`; `writer` is its diskcache, where it is open for writing."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, writer: Any = None) -> None:
        self.folder = folder
        self._connection = connection
        self._writer = writer

    @classmethod
    def open(cls, folder: Path) -> Database:
        """Open or create it; EvalmakeError where that fails."""
        try:
            if not os.path.lexists(folder / DATABASE):
                _create(folder)
            create_database(folder)
            try:
                writer = _open_writer(folder)
            except Exception:  # settings that are damaged raise anything
                delete_settings(folder)
                writer = _open_writer(folder)
        except Exception as error:
            raise store_failed(folder, error) from None
        return cls(folder, writer._con, writer)

    @classmethod
    def open_for_reading(cls, folder: Path) -> Database:
        """Open it and write nothing; one that does not exist is empty. EvalmakeError where it cannot be read."""
        if not os.path.lexists(folder / DATABASE):
            connection = sqlite3.connect(":memory:")
            connection.execute(_EMPTY)
            return cls(folder, connection)
        try:
            return cls(folder, connect_for_reading(folder))
        except (OSError, sqlite3.Error) as error:
            raise store_failed(folder, error) from None

    @property
    def is_writable(self) -> bool:
        """Whether it is open for writing."""
        return self._writer is not None

    def check_writable(self) -> None:
        """EvalmakeError with the reason where it is open for reading only."""
        self._writing_only()

    def close(self) -> None:
        """Close it."""
        (self._connection if self._writer is None else self._writer).close()

    def rows(self, query: str, arguments: tuple[object, ...] = ()) -> list[Row]:
        """The rows of a query; bytes that are no text are replaced, as no seal fits them."""
        connection = self._connection if self._writer is None else self._writer._con
        try:
            return connection.execute(query, arguments).fetchall()
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        return connection.execute(query, arguments).fetchall()

    def text(self, key: str) -> str | None:
        """The text under a key; None where there is none, "" where it is lost or no text."""
        value = self._value(key)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value

    def data(self, key: str) -> bytes | None:
        """The bytes under a key; None where there are none."""
        value = self._value(key)
        return value if isinstance(value, bytes) else None

    def _value(self, key: str) -> str | bytes | None:
        for value, name in self.rows("SELECT value, filename FROM Cache WHERE key = ? AND raw = 1", (key,)):
            if name is None:
                return value if isinstance(value, str | bytes) else ""
            path = self.folder / str(name)
            try:
                check_regular(self.file(name))
                return path.read_bytes()
            except PermissionError:
                raise unreadable_file(path) from None
            except (OSError, ValueError):
                return ""
        return None

    def file(self, name: object) -> Path:
        """The file of a value, by its name in a row; OSError for one that evalmake would not write."""
        return find_value_file(self.folder, name)

    def put(self, key: str, value: str | bytes | IO[bytes], tag: str) -> None:
        """Write a value, or the content of a file; call it within a transaction."""
        self._writing_only().set(key, value, read=not isinstance(value, str | bytes), tag=tag)

    def delete(self, key: str) -> None:
        """Delete what is under a key."""
        self._writing_only().delete(key)

    def rebuild_indexes(self) -> None:
        """Make the indexes from the rows again. Of two rows with one key, the later stays."""
        with self.transaction():
            run = self._writing_only()._con.execute
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'Cache' AND sql NOT NULL"
            for name, sql in run(query).fetchall():
                run(f'DROP INDEX "{name}"')
                if "UNIQUE" in sql:
                    run("DELETE FROM Cache WHERE rowid NOT IN (SELECT max(rowid) FROM Cache GROUP BY key, raw)")
                run(sql)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction, all or nothing; a full disk and the like become an EvalmakeError."""
        from diskcache import Timeout

        try:
            with self._writing_only().transact():
                yield
        except (OSError, sqlite3.Error, Timeout) as error:
            raise store_failed(self.folder, error) from None

    def _writing_only(self) -> Any:
        if self._writer is None:
            raise store_failed(self.folder, PermissionError(0, "it is open for reading only"))
        return self._writer


def _create(folder: Path) -> None:
    """Create the database with its tables at once: somebody who reads meanwhile never finds half of it."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=folder) as name:
        create_database(Path(name))
        _open_writer(Path(name)).close()
        with contextlib.suppress(OSError):  # another process was first, or the file system has no hard links
            os.link(Path(name, DATABASE), folder / DATABASE)


def _open_writer(folder: Path) -> Any:
    from diskcache import DEFAULT_SETTINGS, Cache

    from evalmake.value_files import ValueFiles

    settings = {
        **DEFAULT_SETTINGS,
        "eviction_policy": "none",
        "size_limit": _ENDLESS,
        "cull_limit": 0,
        "tag_index": 1,
        "disk_min_file_size": _FILE_FROM,
    }
    return Cache(str(folder), timeout=60, disk=ValueFiles, **settings)
