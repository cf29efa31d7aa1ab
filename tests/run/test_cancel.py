"""`cancel` where executors do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.command_line.job_selection import JobSelection
from evalmake.commands.cancel import cancel_jobs
from evalmake.language.diagnostic import EvalmakeError
from evalmake.store.journal import Journal, JournalEntry
from evalmake.testing import FakeExecutor
from evalmake.workspace import Workspace
from tests.support.workspaces import TRIED, Bench

NAMES = ("tried/1", "tried/2", "tried/3")


class Partly(FakeExecutor):
    """An executor that does not answer for one of its jobs, and records whether it was closed."""

    closed = False

    def cancel(self, id: str) -> None:
        """End a job, but not the second."""
        if id == "job.2":
            raise ConnectionError("cannot reach it")

    def close(self) -> None:
        """Record the call."""
        self.closed = True


def test_cannot_be_cancelled(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`cancel` names each job that it cannot end and keeps its journal entry; it ends the others."""
    bench.evalfile(TRIED)
    bench.job("true\n")
    file = bench.root / "Evalfile"
    root = Workspace.open(file).root
    journal, executor = Journal(root / "journal"), Partly("local", None, root / "work")
    for at, name in enumerate(NAMES, 1):
        folder = root / "work" / f"job.{at}"
        folder.mkdir(parents=True)
        journal.write(JournalEntry(folder.name, name, "evaluate", "", "local", str(folder), 0.0))
    monkeypatch.setattr(Workspace, "executors", lambda self: {"local": executor})

    with pytest.raises(EvalmakeError, match="cannot reach it"):
        cancel_jobs(JobSelection(Workspace.open(file)))
    said = capsys.readouterr()
    assert said.out == "cancelled tried/1 on local\ncancelled tried/3 on local\n"
    assert [entry.id for entry in journal.entries()] == ["job.2"]
    assert [path.name for path in Path(root / "work").iterdir()] == ["job.2"]
    assert executor.closed
