"""Records in a job's folder how the job ended. It is written last, so a folder that has it is complete."""

from __future__ import annotations

import json
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.plugin_api.executor import JobState, Phase

_FILE = "ended.json"


def write(folder: Path, state: JobState) -> None:
    """Write the record so that it survives a crash."""
    record = {"status": state.status, "detail": state.detail, "facts": dict(state.facts)}
    record |= {"out_of_time": True} if state.out_of_time else {}
    write_atomic(folder / _FILE, json.dumps(record).encode())


def read(folder: Path) -> JobState | None:
    """Return the recorded state; None if there is no record."""
    try:
        record = (folder / _FILE).read_text(encoding="utf-8")
        return JobState(Phase.ENDED, **json.loads(record))
    except (OSError, ValueError, TypeError):
        return None
