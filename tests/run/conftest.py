"""The fixture that tests of whole runs share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from workspaces import Bench, kill


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace; whatever a failed test leaves running in it is ended."""
    made = Bench(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            kill(process.pid)
            process.communicate()
    marks = f"EVALMAKE_WORKDIR={tmp_path}".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marks in (entry / "environ").read_bytes():
                kill(int(entry.name))
        except OSError:
            continue
