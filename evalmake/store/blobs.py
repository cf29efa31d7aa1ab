"""The outputs of attempts in a store, by the sha256 of their content."""

from __future__ import annotations

from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path
from typing import IO

from evalmake.language.regular_file import check_regular
from evalmake.planner.action import Artifact
from evalmake.store.database import Database
from evalmake.store.failure import unreadable_file

_LARGEST_IN_MEMORY = 1 << 22


class Blobs:
    """The blobs of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places: dict[str, tuple[str | None, int]] | None = None

    def read(self, digest: str) -> bytes | None:
        """A blob's bytes by the hex of its sha256; None where it is missing or damaged."""
        data = self._database.data(f"blob/{digest}")
        return data if data is not None and sha256(data).hexdigest() == digest else None

    def open(self, digest: str) -> IO[bytes] | None:
        """A blob to be read from its beginning, once all of it is checked; None where it is missing or damaged.

        A large one is not held in memory.
        """
        row = self._find_row(digest)
        if row is None or not row[0]:
            data = self.read(digest)
            return None if data is None else BytesIO(data)
        path = self._database.folder / row[0]
        try:
            check_regular(self._database.file(row[0]))
            file = path.open("rb")
        except PermissionError:
            raise unreadable_file(path) from None
        except (OSError, ValueError):
            return None
        if file_digest(file, "sha256").hexdigest() == digest:
            file.seek(0)
            return file
        file.close()
        return None

    def path(self, digest: str) -> str | None:
        """The file of a blob; only one that is too large for the database has one."""
        name, _ = self._read_places().get(digest, (None, 0))
        return str(self._database.folder / name) if name else None

    def write_to(self, digest: str, file: IO[bytes]) -> bool:
        """Write a blob to a file, a large one in pieces; whether it is there and has the right content."""
        row = self._find_row(digest)
        if row is None or not row[0]:
            data = self.read(digest)
            file.write(data or b"")
            return data is not None
        found = sha256()
        try:
            with open(self._database.folder / row[0], "rb") as source:
                while piece := source.read(_LARGEST_IN_MEMORY):
                    found.update(piece)
                    file.write(piece)
        except FileNotFoundError:
            return False
        return found.hexdigest() == digest

    def seems_whole(self, digest: str) -> bool:
        """Whether a blob is there, and not cut off. The content is not read."""
        place = self._read_places().get(digest)
        return place is not None and self._has_size(*place)

    def forget(self, digest: str) -> None:
        """Take a blob for missing until it is stored again."""
        self._read_places().pop(digest, None)

    def is_whole(self, digest: str) -> bool:
        """Whether a blob is there and has the right content."""
        row = self._find_row(digest)
        if row is None or not row[0]:
            return row is not None and self.read(digest) is not None
        file = self.open(digest)
        if file is not None:
            file.close()
        return file is not None

    def put(self, name: str, data: Path | bytes) -> Artifact:
        """Store an output, unless it is there and whole; call it within a transaction."""
        if isinstance(data, Path) and data.stat().st_size > _LARGEST_IN_MEMORY:
            with data.open("rb") as file:
                digest, size = file_digest(file, "sha256").hexdigest(), file.tell()
                file.seek(0)
                self._put_content(digest, file)
        else:
            content = data.read_bytes() if isinstance(data, Path) else data
            digest, size = sha256(content).hexdigest(), len(content)
            self._put_content(digest, content)
        return Artifact(name, digest, size)

    def _put_content(self, digest: str, content: bytes | IO[bytes]) -> None:
        row = self._find_row(digest)
        if row is None or not (self._has_size(*row) and self.is_whole(digest)):
            self._database.put(f"blob/{digest}", content, "blob")
        self._places = None

    def _find_row(self, digest: str) -> tuple[str | None, int] | None:
        """The file of a blob, if it has one, and its size, as they are now."""
        query = "SELECT filename, size FROM Cache WHERE key = ? AND tag = 'blob'"
        for filename, size in self._database.rows(query, (f"blob/{digest}",)):
            return filename and str(filename), size
        return None

    def _read_places(self) -> dict[str, tuple[str | None, int]]:
        """The file of each blob, if it has one, and its size in bytes; read once."""
        if self._places is None:
            rows = self._database.rows("SELECT key, filename, size FROM Cache WHERE tag = 'blob'")
            self._places = {str(key)[5:]: (filename and str(filename), size) for key, filename, size in rows}
        return self._places

    def _has_size(self, filename: str | None, size: int) -> bool:
        """Whether the file of a blob, if it has one, has the right length."""
        try:
            return filename is None or check_regular(self._database.file(filename)).st_size == size
        except PermissionError:
            raise unreadable_file(self._database.folder / str(filename)) from None
        except (OSError, ValueError, TypeError):
            return False
