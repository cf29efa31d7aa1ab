"""The folders of jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from evalmake.run.job_builder import JobBuilder


def test_a_status_that_comes_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is removed though its job's status is written into it meanwhile."""
    nothing: Any = None
    builder = JobBuilder(nothing, nothing, tmp_path)
    status = builder.job_folder("a") / "status"
    status.parent.mkdir(parents=True)
    remove, late = os.rmdir, [status]

    def remove_late(path: str, **more: int) -> None:
        if late:
            late.pop().write_text("0\n")
        remove(path, **more)

    monkeypatch.setattr(os, "rmdir", remove_late)
    builder.remove_job_folder("a")
    assert not late
    assert not status.parent.exists()
