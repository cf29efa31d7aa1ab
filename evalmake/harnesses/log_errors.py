"""Finds errors and warnings in a harness's log."""

from __future__ import annotations

import re
from pathlib import Path

_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception|Interrupt)(?:: .*)?")
_WRAPPERS = (
    "RetryError",
    "Evaluation failed! Please consult the logs below",
)  # wrappers: the cause is in an earlier line
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SRUN_ECHO = re.compile(r"srun: error: .*: Exited with exit code \d+$")
_TAIL_BYTES = 1 << 18  # bytes
_FOLDED_LINES = 5


def read_last_error(log: Path) -> str:
    """The last line that names a Python exception; without one, the last paragraph of text, as one line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = _COLOUR.sub("", file.read().decode("utf-8", "replace")).splitlines()
    except OSError:
        return ""
    texts = [text for line in lines if not _SRUN_ECHO.match(text := line.strip())]
    exceptions = [line for line in texts if _EXCEPTION.fullmatch(line)]
    causes = [line for line in exceptions if not any(wrapper in line for wrapper in _WRAPPERS)]
    return (causes or exceptions or [_join_last_paragraph(texts)])[-1]


def _join_last_paragraph(lines: list[str]) -> str:
    """The text after the last empty line: programs fold long sentences. Of a long one, only its last line."""
    paragraph: list[str] = []
    for line in reversed(lines):
        if line:
            paragraph.insert(0, line)
        elif paragraph:
            break
    return " ".join(paragraph if len(paragraph) <= _FOLDED_LINES else paragraph[-1:])


def holds_text(log: Path, text: str) -> bool:
    """Whether the log holds a text."""
    try:
        return text in log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
