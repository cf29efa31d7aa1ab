"""The files in which diskcache keeps large values; none of them lies elsewhere, whatever its database says.

A database may be a stranger's, committed with a repository. It could name any file of the user to be removed, or a
pickle to be loaded.
"""

from __future__ import annotations

import contextlib
from typing import Any

from diskcache import Disk
from diskcache.core import MODE_PICKLE

from evalmake.disk_database import find_value_file


class ValueFiles(Disk):  # type: ignore[misc]
    """The files of a database of diskcache, which neither reads nor writes nor removes through a link."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """The value of a row; OSError, which counts as missing, where it is none that evalmake wrote."""
        if mode == MODE_PICKLE:
            raise OSError("evalmake stores no objects")
        if filename is not None:
            find_value_file(self._directory, filename)
        return super().fetch(mode, filename, value, read)

    def filename(self, *arguments: Any) -> tuple[str, str]:
        """A name for a new file; OSError where its folder is a link."""
        name, path = super().filename(*arguments)
        find_value_file(self._directory, name)
        return name, path

    def remove(self, file_path: str) -> None:
        """Remove a file, if it is one of this database."""
        with contextlib.suppress(OSError):
            find_value_file(self._directory, file_path)
            super().remove(file_path)
