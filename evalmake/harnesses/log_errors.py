"""What a harness's log says of its end."""

from __future__ import annotations

import re
from pathlib import Path

_RAISED = re.compile(r"[\w.]*(?:Error|Exception|Interrupt)(?:: .*)?")
_EMPTY = ("RetryError", "Evaluation failed! Please consult the logs below")  # say nothing of why
_TAIL = 1 << 18  # bytes


def last_error(log: Path) -> str:
    """The last line by which Python tells what was raised; without one, the last line of text."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    raised = [line for line in said if _RAISED.fullmatch(line)]
    telling = [line for line in raised if not any(empty in line for empty in _EMPTY)]
    return (telling or raised or said or [""])[-1]
