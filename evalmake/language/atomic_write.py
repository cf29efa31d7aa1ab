"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the content of `path` so that neither a reader nor a crash leaves half of it.

    Missing parent folders are created.  The bytes go to a temporary file in the same folder (a
    rename is atomic only within one file system), reach the disk, and then take the name; on any
    failure the old file stays as it was and the temporary one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(path))
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """The permissions the file has, or 0644: mkstemp's 0600 would hide a report from its readers."""
    return path.stat().st_mode & 0o7777 if path.exists() else 0o644
