"""How a job ended, in its folder: written last of all that is brought there, so what has it is whole."""

from __future__ import annotations

import json
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.plugin_api.executor import JobState, Phase

_FILE = "ended.json"


def write(folder: Path, state: JobState) -> None:
    """Say it, for sure."""
    said = {"status": state.status, "detail": state.detail, "facts": dict(state.facts)}
    write_atomic(folder / _FILE, json.dumps(said).encode())


def read(folder: Path) -> JobState | None:
    """What was said; None where nothing is."""
    try:
        said = (folder / _FILE).read_text(encoding="utf-8")
        return JobState(Phase.ENDED, **json.loads(said))
    except (OSError, ValueError, TypeError):
        return None
