"""Exit statuses in words."""

from __future__ import annotations

import contextlib
import signal


def describe_exit_status(status: int) -> str:
    """Return `exit status 143 (SIGTERM)` and the like; nothing for 0."""
    if status == 137:
        return "exit status 137 (SIGKILL, most often memory)"
    if status > 128:
        with contextlib.suppress(ValueError):
            return f"exit status {status} ({signal.Signals(status - 128).name})"
    return f"exit status {status}" if status else ""
