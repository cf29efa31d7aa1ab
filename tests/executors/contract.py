"""What every executor must do. Subclass `ExecutorContract` with a fixture `make` in a test module.

`make()` gives an executor; called again it gives another instance over the same place, as the next
evalmake would have it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.plugin_api.executor import Executor, Job, JobState, Phase

Make = Callable[[], Executor]


def job(root: Path, text: str, id: str = "job.1", **more: object) -> Job:
    """A job of a shell text; its folder lies below the executor's."""
    return Job(id, "a job", ("/bin/sh", "-c", text), root / id, **more)  # type: ignore[arg-type]


def ended(executor: Executor, id: str = "job.1") -> JobState:
    """Wait for a job's end."""
    deadline = time.monotonic() + 30
    while (state := executor.poll(id)).phase in (Phase.QUEUED, Phase.RUNNING):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return state


def running(executor: Executor, id: str = "job.1") -> None:
    """Wait until a job runs: one that waits in a queue of ours would be begun anew by the next evalmake."""
    deadline = time.monotonic() + 30
    while executor.poll(id).phase is not Phase.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finished(executor: Executor, folder: Path, id: str = "job.1") -> JobState:
    """Wait for a job's end and bring its outputs."""
    state = ended(executor, id)
    executor.fetch(id, folder)
    return state


class ExecutorContract:
    """The promises, one a test; `root` is where the executor keeps its jobs."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """The executor's folder."""
        return tmp_path / "work"

    def test_unknown(self, make: Make, root: Path) -> None:
        """Of a job that was never submitted nothing is known; to cancel or fetch it is no mistake."""
        executor = make()
        assert executor.poll("nothing.1").phase is Phase.UNKNOWN
        executor.cancel("nothing.1")
        executor.fetch("nothing.1", root / "nothing.1")

    @pytest.mark.parametrize("status", [0, 1, 7, 130])
    def test_exit_status(self, make: Make, root: Path, status: int) -> None:
        """The job's own exit status is the state's."""
        executor = make()
        executor.submit(job(root, f"exit {status}"), {})
        state = finished(executor, root / "job.1")
        assert (state.phase, state.status) == (Phase.ENDED, status)

    def test_outputs_and_log(self, make: Make, root: Path) -> None:
        """What the job writes below out/ and prints to either stream is there after `fetch`."""
        executor = make()
        executor.submit(job(root, "mkdir out/deep; echo x > out/deep/file; echo one; echo two >&2"), {})
        assert finished(executor, root / "job.1").status == 0
        assert (root / "job.1" / "out" / "deep" / "file").read_text() == "x\n"
        assert sorted((root / "job.1" / "log").read_text().split()) == ["one", "two"]

    def test_files_and_inputs(self, make: Make, root: Path, tmp_path: Path) -> None:
        """Texts are written and inputs offered at their names, folders and all."""
        (tmp_path / "data").write_text("rows")
        executor = make()
        given = {"files": {"conf/task.json": "{}"}, "inputs": {"inputs/data": tmp_path / "data"}}
        executor.submit(job(root, "cat conf/task.json inputs/data > out/both", **given), {})
        assert finished(executor, root / "job.1").status == 0
        assert (root / "job.1" / "out" / "both").read_text() == "{}rows"

    def test_environment(self, make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The job has its variables and secrets, and none that merely surround evalmake."""
        monkeypatch.setenv("SURROUNDING", "1")
        executor = make()
        executor.submit(job(root, "env > out/env", env={"PLAIN": "a b"}), {"TOKEN": "t\"k'$"})
        assert finished(executor, root / "job.1").status == 0
        lines = (root / "job.1" / "out" / "env").read_text().splitlines()
        assert {"PLAIN=a b", "TOKEN=t\"k'$"} <= set(lines)
        assert not any(line.startswith("SURROUNDING") for line in lines)

    def test_cancel(self, make: Make, root: Path) -> None:
        """After `cancel` the job is over, however it takes the signal, with a status that is no 0."""
        executor = make()
        executor.submit(job(root, "echo up > out/up; sleep 1000; true"), {})
        executor.cancel("job.1")
        assert ended(executor).phase is Phase.ENDED
        assert ended(executor).status != 0
        executor.cancel("job.1")

    def test_found_again(self, make: Make, root: Path, tmp_path: Path) -> None:
        """A second instance sees the running job under the same id, and how it ends."""
        go = tmp_path / "go"
        text = f"while ! test -e {go}; do sleep 0.01; done; echo x > out/x; exit 3"
        first, second = make(), make()
        first.submit(job(root, text), {})
        running(first)
        assert second.poll("job.1").phase in (Phase.QUEUED, Phase.RUNNING)
        go.touch()
        assert finished(second, root / "job.1").status == 3
        assert (root / "job.1" / "out" / "x").exists()
        assert make().poll("job.1") == JobState(Phase.ENDED, 3, "exit status 3")

    def test_second_instance_cancels(self, make: Make, root: Path) -> None:
        """What one instance submitted another can end."""
        first, second = make(), make()
        first.submit(job(root, "sleep 1000; true"), {})
        running(first)
        second.cancel("job.1")
        assert second.poll("job.1").phase is Phase.ENDED
        assert second.poll("job.1").status != 0

    def test_jobs_are_apart(self, make: Make, root: Path) -> None:
        """Two jobs have each their own state and folder."""
        executor = make()
        for at in (1, 2):
            executor.submit(job(root, f"echo {at} > out/number; exit {at}", f"job.{at}"), {})
        states = [finished(executor, root / f"job.{at}", f"job.{at}") for at in (1, 2)]
        assert [state.status for state in states] == [1, 2]
        numbers = [(root / f"job.{at}" / "out" / "number").read_text() for at in (1, 2)]
        assert numbers == ["1\n", "2\n"]

    def test_gpus(self, make: Make) -> None:
        """An executor names its GPUs, each once, or counts none."""
        gpus = make().gpus()
        assert gpus is None or len(set(gpus)) == len(gpus)

    def test_waitables(self, make: Make, root: Path) -> None:
        """What it offers to wait on are open descriptors, and none is left after the end."""
        executor = make()
        executor.submit(job(root, "true"), {})
        assert all(isinstance(handle, int) for handle in executor.waitables())
        finished(executor, root / "job.1")
        assert executor.waitables() == []

    def test_refused_submission(self, make: Make, root: Path) -> None:
        """A folder that cannot be made is an OSError, and nothing is left running or known."""
        root.parent.mkdir(exist_ok=True)
        root.write_text("a file where the folder should be")
        executor = make()
        with pytest.raises(OSError, match="work"):
            executor.submit(job(root, "true"), {})
        assert executor.poll("job.1").phase is Phase.UNKNOWN
