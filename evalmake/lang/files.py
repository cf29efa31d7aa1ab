"""Writing files so that a reader sees the old content or the new, never half of one."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, making its folders; OSError leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
