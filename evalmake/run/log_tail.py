"""The ends of logs, as people are shown them."""

from __future__ import annotations

import os
import re
from pathlib import Path

_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]")
_WHOLE = re.compile(rb"[^\r\n]*[\r\n]")
_SHOWN = 6
_READ = 4000  # bytes


def last_lines(log: bytes) -> tuple[str, ...]:
    """The last lines that say something, without their colours."""
    text = _COLOURS.sub(b"", log[-_READ:]).decode(errors="replace")
    return tuple([line.rstrip() for line in text.splitlines() if line.strip()][-_SHOWN:])


def ending(path: Path) -> bytes:
    """The last whole lines of a log that is being written: half a line may have half a secret."""
    try:
        with path.open("rb") as file:
            long = file.seek(0, os.SEEK_END) > _READ
            file.seek(-_READ if long else 0, os.SEEK_END if long else os.SEEK_SET)
            data = file.read()
    except OSError:
        return b""
    return b"".join(_WHOLE.findall(data)[long:])
