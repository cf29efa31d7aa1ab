"""The last lines of logs, for people."""

from __future__ import annotations

import os
import re
from pathlib import Path

_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]")
_WHOLE_LINE = re.compile(rb"[^\r\n]*[\r\n]")
_LINES = 6
_BYTES = 4000


def last_lines(log: bytes) -> tuple[str, ...]:
    """The last lines of a log that are not empty, without colours."""
    text = _COLOURS.sub(b"", log[-_BYTES:]).decode(errors="replace")
    return tuple([line.rstrip() for line in text.splitlines() if line.strip()][-_LINES:])


def read_tail(path: Path) -> bytes:
    """The last whole lines of a log that is being written: half a line could show half a secret."""
    try:
        with open(
            os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
        ) as file:  # a job may put a pipe there
            is_cut = file.seek(0, os.SEEK_END) > _BYTES
            file.seek(-_BYTES if is_cut else 0, os.SEEK_END if is_cut else os.SEEK_SET)
            data = file.read()
    except OSError:
        return b""
    return b"".join(_WHOLE_LINE.findall(data)[is_cut:])
