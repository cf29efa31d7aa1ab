"""Hashes files with sha256, and remembers the hashes by size, times and inode."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.language.regular_file import check_regular
from evalmake.seal import seal, unseal

_REMEMBER_FROM = 64 * 1024
_SETTLE_NS = 2_000_000_000
_NAME = "hashes"


def hash_bytes(data: bytes) -> str:
    """Hex sha256 of `data`."""
    return sha256(data).hexdigest()


class FileHashes:
    """The hashes of files; those of larger files are kept in `table` between runs.

    A file whose change is younger than two seconds is hashed but not remembered, because a
    further change could leave size and time alike (git's "racily clean").
    """

    def __init__(self, table: Path | None = None) -> None:
        self._table = table
        self._known: dict[str, list[object]] = {}
        self._changed = False
        self.seen: set[Path] = set()
        if table and table.exists():
            self._known = _read_table(table)

    def of(self, path: Path) -> str:
        """Hex sha256 of the regular file at `path`; OSError when it is none, or cannot be read."""
        self.seen.add(path)
        stat = check_regular(path)
        if stat.st_size < _REMEMBER_FROM:
            with open(path, "rb") as stream:
                return hash_bytes(stream.read())
        stamp: list[object] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        known = self._known.get(str(path))
        if known and known[:-1] == stamp:
            return str(known[-1])
        digest = hash_file(path)
        changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
        if os.stat(path).st_ctime_ns == stat.st_ctime_ns and changed < _now_ns() - _SETTLE_NS:
            self._known[str(path)] = [*stamp, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write the table; if that fails, the next run hashes again."""
        if self._table and self._changed:
            try:
                write_atomic(self._table, seal(_NAME, json.dumps(self._known).encode()))
            except OSError:
                return


def _read_table(path: Path) -> dict[str, list[object]]:
    """The table as it was written; empty where it is damaged: a wrong hash would be another experiment."""
    try:
        content = unseal(_NAME, path.read_bytes())
        return dict(json.loads(content)) if content is not None else {}
    except (OSError, ValueError, TypeError):
        return {}


def hash_file(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    digest = sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _now_ns() -> int:
    import time

    return time.time_ns()
