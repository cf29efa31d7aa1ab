"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from evalmake.language.regular_file import check_regular


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the content of `path` so that neither a reader nor a crash leaves half of it.

    Missing parent folders are created.  The bytes go to a temporary file in the same folder (a
    rename is atomic only within one file system), reach the disk, and then take the name; on any
    failure the old file stays as it was and the temporary one is removed. OSError for a device or a pipe,
    which would no longer be one: `/dev/null` of the whole machine, for root.
    """
    if path.exists():
        check_regular(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.parent / f".{path.name}.{os.urandom(6).hex()}.tmp"
    # Not by `tempfile`: its 0600 would hide a report from its readers. Here the umask decides.
    try:
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                os.chmod(name, path.stat().st_mode & 0o7777)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except OSError as error:  # a write does not say of which file, and the name of the temporary one says nothing
        if error.errno is not None:
            error.filename = str(path)
        raise
