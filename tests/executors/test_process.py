"""Processes of this machine, and the executor that tests stand in for one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.executors import job_processes
from evalmake.executors.job_group import list_members, make_group, remove_group
from evalmake.executors.process import ProcessExecutor
from evalmake.plugin_api.executor import Executor, JobState, Phase
from evalmake.testing import FakeExecutor
from tests.executors.contract import ExecutorContract, Make, ended, job
from tests.support.workspaces import started_in


def command_lines() -> str:
    """The command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


class TestProcessExecutor(ExecutorContract):
    """Every promise, kept by real processes."""

    @pytest.fixture
    def make(self, root: Path) -> Make:
        """Executors over one folder."""

        def made() -> Executor:
            return ProcessExecutor("local", None, root)

        return made

    def test_descriptor_wakes(self, make: Make, root: Path) -> None:
        """The descriptor of a job is readable once it has ended."""
        executor = make()
        executor.submit(job(root, "true"), {})
        ready, _, _ = select.select(executor.waitables(), [], [], 30)
        assert ready
        assert ended(executor).status == 0

    def test_sweep_takes_any_name(self, make: Make, root: Path) -> None:
        """A process in whose environment a job's folder is no UTF-8 is ended by `sweep`, too."""
        marked = {b"EVALMAKE_WORKDIR": os.fsencode(root) + b"/\xff.1"}
        process = subprocess.Popen(["sleep", "1000"], env=marked)
        while b"/\xff.1" not in Path(f"/proc/{process.pid}/environ").read_bytes():
            time.sleep(0.01)
        assert [id for id, _ in make().sweep()] == ["\udcff.1"]
        assert process.wait(30) == -signal.SIGKILL

    def test_descendants_end(self, make: Make, root: Path) -> None:
        """`cancel` ends what ignores TERM, and what has left the job's group."""
        executor = make()
        text = "setsid sleep 1000 & trap '' TERM; echo $! > out/up; while :; do sleep 0.1; done"
        executor.submit(job(root, text), {})
        while not (root / "job.1" / "out" / "up").exists():
            time.sleep(0.01)
        executor.cancel("job.1")
        assert started_in(root) == []

    def test_ending_costs_little(self, make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While a cancelled job takes its time, not all processes of the machine are looked at again and again."""
        looks: list[int] = []
        list_pids = job_processes._list_pids
        monkeypatch.setattr(job_processes, "_list_pids", lambda: looks.append(1) or list_pids())
        executor = make()
        executor.submit(job(root, "trap 'sleep 1; exit' TERM; touch out/up; while :; do sleep 0.1; done"), {})
        while not (root / "job.1" / "out" / "up").exists():
            time.sleep(0.01)
        executor.cancel("job.1")
        assert len(looks) < 20
        assert started_in(root) == []

    def test_hidden_environment(self, make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that hides its environment is found and ended by the folder that its command line names."""

        def read_words(pid: int, name: str) -> list[bytes]:
            if name == "environ":
                raise PermissionError
            return Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")

        executor = make()
        settings = os.path.realpath(root / "job.1" / "settings.json")
        words = ("sleep 1000 & exec sleep 1000", settings)
        executor.submit(replace(job(root, ""), argv=("/bin/sh", "-c", *words)), {})
        monkeypatch.setattr(job_processes, "_read_words", read_words)
        identity = job(root, "").id
        folder = root / identity
        assert not job_processes.find_processes(root / "another")
        deadline = time.monotonic() + 30
        while not job_processes.find_processes(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        executor.cancel(identity)
        assert not job_processes.find_processes(folder)

    def test_secrets_from_input(self, make: Make, root: Path) -> None:
        """A job that reads its secrets from its input has none in its environment."""
        executor = make()
        command = "cat > out/input; env > out/env; cat /proc/$PPID/environ > out/shell"
        executor.submit(replace(job(root, command), secrets_from_input=True), {"A_KEY": "0123-secret"})
        assert ended(executor).status == 0
        out = root / job(root, "").id / "out"
        assert (out / "input").read_text() == '{"A_KEY": "0123-secret"}'
        assert "0123" not in (out / "env").read_text() + (out / "shell").read_text()

    @pytest.mark.parametrize(
        "value", ["0123-secret", "two\nlines\n\n'$HOME' \\\\n `id` ", "0123\u00e4\u0101\u0301-\udcff"]
    )
    def test_the_shell_of_a_job_has_no_secrets(self, make: Make, root: Path, value: str) -> None:
        """Secrets reach the environment of the job, whatever is in them, and not that of its shell."""
        executor = make()
        command = (
            'printf %s "$A_KEY" > out/key; cat /proc/$PPID/environ > out/shell; ls -l /proc/$$/fd/0 > out/fd; exit 7'
        )
        executor.submit(job(root, command), {"A_KEY": value})
        assert ended(executor).status == 7
        out = root / job(root, "").id / "out"
        assert (out / "key").read_bytes() == os.fsencode(value)
        assert b"EVALMAKE_WORKDIR" in (out / "shell").read_bytes()
        assert b"A_KEY" not in (out / "shell").read_bytes()
        assert "/dev/null" in (out / "fd").read_text()

    def test_too_many_secrets(self, make: Make, root: Path) -> None:
        """Secrets that do not fit into what a job reads them from are refused, and evalmake does not hang."""
        with pytest.raises(OSError, match="may have 128 KiB in all"):
            make().submit(job(root, "true"), {"A_KEY": "x" * (130 << 10)})

    @pytest.mark.parametrize("is_cancelled", [True, False])
    def test_daemons_end(self, make: Make, root: Path, is_cancelled: bool) -> None:
        """What leaves the session, ignores TERM and clears its environment ends with the job, however that ends."""
        executor = make()
        up = root / "up"
        daemon = f"trap '' TERM; cd /; echo > {up}; while :; do sleep 0.1; done"
        text = f"""env -i setsid sh -c "{daemon}" > /dev/null 2>&1 < /dev/null &
            while [ ! -e {up} ]; do sleep 0.01; done; {"sleep 1000" if is_cancelled else "exit 3"}"""
        executor.submit(job(root, text), {})
        while not up.exists():
            time.sleep(0.01)
        if is_cancelled:
            make().cancel("job.1")
        else:
            assert ended(executor).status == 3
            executor.fetch("job.1", root / "job.1")
        assert str(up) not in command_lines()

    @pytest.mark.parametrize("is_cancelled", [True, False])
    def test_daemons_of_a_killed_shell_end(self, make: Make, root: Path, is_cancelled: bool) -> None:
        """Where there are control groups, what clears its environment ends even if the job kills its own shell."""
        if not make_group(root / "other"):
            pytest.skip("no control groups can be made here")
        remove_group(root / "other")
        up = root / "up"
        daemon = f"cd /; echo > {up}; while :; do sleep 0.1; done"
        text = f"""env -i setsid sh -c "{daemon}" > /dev/null 2>&1 < /dev/null &
            while [ ! -e {up} ]; do sleep 0.01; done; kill -9 $PPID"""
        executor = make()
        executor.submit(job(root, text), {})
        assert ended(executor).status == 137
        assert str(up) in command_lines()
        if is_cancelled:
            make().cancel("job.1")
        else:
            executor.fetch("job.1", root / "job.1")
        assert str(up) not in command_lines()
        assert not list_members(root / "job.1")

    def test_a_command_that_ends_well_on_term(self, make: Make, root: Path) -> None:
        """A job that evalmake ended has not succeeded, even if its command exits with 0 on TERM."""
        executor = make()
        executor.submit(job(root, "trap 'exit 0' TERM; echo > out/up; while :; do sleep 0.1; done"), {})
        while not (root / "job.1" / "out" / "up").exists():
            time.sleep(0.01)
        executor.cancel("job.1")
        assert executor.poll("job.1").status == 143

    def test_killed_shell(self, make: Make, root: Path) -> None:
        """A job whose shell was killed while nobody watched has ended with no status, never with 0."""
        first = make()
        first.submit(job(root, "sleep 1000; true"), {})
        pid = int(wait_text(root / "job.1" / "pid"))
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        state = make().poll("job.1")
        assert state == JobState(Phase.ENDED, None, "the process is gone and left no exit status")

    def test_reused_pid(self, make: Make, root: Path) -> None:
        """Another process with the pid that a dead job had is not taken for it, nor ended."""
        folder = root / "job.1"
        (folder / "out").mkdir(parents=True)
        (folder / "pid").write_text(str(os.getpid()))
        executor = make()
        assert executor.poll("job.1").phase is Phase.ENDED
        executor.cancel("job.1")


class TestFakeExecutor(ExecutorContract):
    """The same promises, kept without a process that outlives the call."""

    @pytest.fixture
    def make(self, root: Path) -> Make:
        """Executors over one folder."""

        def made() -> Executor:
            return FakeExecutor("local", None, root)

        return made


def wait_text(path: Path) -> str:
    """A file's text, once there is some."""
    while not path.exists() or not path.read_text():
        time.sleep(0.01)
    return path.read_text()
