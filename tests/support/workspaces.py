"""A workspace in a temporary folder, and evalmake as the process that a user starts."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from textwrap import dedent
from typing import Any

from evalmake.planner.action import ActionResult
from evalmake.store.store import Store
from evalmake.store.verification import verify_store
from tests.support.fork_server import ForkedPopen, ForkedProcess, can_fork

NOBODY = """\
    model nobody {
        endpoint = "http://127.0.0.1:9/v1"
        name     = "nobody"
    }
"""
"""A model that no job asks."""

SCRIPTED = """\
    benchmark scripted {
        harness = command
        files   = file("job.sh")
        run     = "sh data/job.sh"
    }
"""
"""A benchmark that runs `job.sh`, which `Bench.job` writes."""

TRIED = f"""\
    executor local {{
        backend = process
        slots   = 4
    }}
{NOBODY}{SCRIPTED}
    eval tried {{
        model     = nobody
        benchmark = scripted
        seed      in 1..8
    }}
"""
"""Eight cells that run `job.sh`."""

SCORE = """echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json\n"""
"""The line of a `job.sh` that leaves a score."""

SUMS = """\
    benchmark sums {
        harness = native
        files   = file("sums.jsonl")
        prompt  = "{question}"
        target  = "{answer}"
        scorer  = number
    }
"""
"""A benchmark of the questions that `Bench.sums` writes."""

PATIENCE = 600.0
_SHOWN = 10_000  # characters


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams."""
        return self.out + self.err


@dataclass
class Bench:
    """A folder with an Evalfile; `run` waits for evalmake, `start` does not."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    forks: bool = True
    """Whether to fork evalmake from a process that has imported it. Its `/proc/PID` then shows that one's."""

    def evalfile(self, *texts: str) -> None:
        """Write the Evalfile: one text after the other."""
        (self.root / "Evalfile").write_text("".join(map(dedent, texts)))

    def edit(self, old: str, new: str) -> None:
        """Replace `old`, which must be there, in the Evalfile."""
        text = (self.root / "Evalfile").read_text()
        assert old in text
        (self.root / "Evalfile").write_text(text.replace(old, new))

    def sums(self, count: int = 20, name: str = "sums.jsonl") -> None:
        """Write `count` questions that the mock server can answer."""
        rows = [{"question": f"What is {at} + {at + 3}?", "answer": 2 * at + 3} for at in range(count)]
        (self.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def job(self, text: str, name: str = "job.sh") -> None:
        """Write a script that a benchmark runs by `sh data/job.sh`."""
        (self.root / name).write_text(dedent(text))

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start `evalmake WORDS`, in a session of its own as in a terminal's foreground."""
        process = self._start(words, self.environ(env))
        self.started.append(process)
        return process

    def _start(self, words: tuple[str, ...], environ: dict[str, str]) -> subprocess.Popen[str]:
        if self.forks and can_fork(environ):
            return ForkedPopen(words, self.root, environ)  # type: ignore[return-value]
        return subprocess.Popen(
            [sys.executable, "-m", "evalmake", *words],
            cwd=self.root,
            env={"PYTHONFAULTHANDLER": "1"} | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def build(self, *words: str) -> dict[str, Any]:
        """The end of a build for programs, as `--json` prints it."""
        found: dict[str, Any] = json.loads(self.run("--json", *words).out.splitlines()[-1])
        return found

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run `evalmake WORDS` to its end."""
        environ = self.environ(env)
        if not (self.forks and can_fork(environ)):
            return end(self.start(*words, env=env))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = ForkedProcess(words, self.root, environ, out.fileno(), err.fileno())
            try:
                status: int | None = process.wait(PATIENCE)
            except TimeoutError:
                os.kill(process.pid, signal.SIGABRT)
                process.wait(PATIENCE)
                status = None
            out.seek(0)
            err.seek(0)
            said, told = out.read().decode(), err.read().decode()
        assert status is not None, f"it did not end within {PATIENCE:g}s:\n{said[-_SHOWN:]}{told[-_SHOWN:]}"
        assert "Traceback" not in told, told
        return Ended(status, said, told)

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a start, with some more variables."""
        return self.env | dict(more or {})

    def store(self) -> Store:
        """The store, opened: close it, or use it in a `with`."""
        return Store.open(self.root / ".evalmake" / "store")

    def attempts(self) -> list[ActionResult]:
        """Every attempt in the store."""
        with self.store() as store:
            return [attempt for action in store.histories() for attempt in store.attempts(action)]

    def output(self, attempt: ActionResult, pattern: str) -> bytes:
        """The stored bytes of the only output of an attempt whose name matches."""
        (found,) = [o.sha256 for o in attempt.outputs if fnmatch(o.name, pattern)]
        with self.store() as store:
            data = store.blob(found)
        assert data is not None
        return data

    def samples(self, attempt: ActionResult) -> list[dict[str, Any]]:
        """The samples of an attempt."""
        lines = self.output(attempt, "samples.jsonl").decode().split("\n")
        return [json.loads(line) for line in lines if line]

    def scores(self) -> dict[str, list[float | None]]:
        """The scores of every success, by target."""
        done = [a for a in self.attempts() if a.status == "succeeded"]
        return {a.name: [score.value for score in a.scores] for a in done}

    def left(self) -> list[str]:
        """The command lines of processes whose folder is below the workspace, or that were started there."""
        found, started = [], started_in(self.root.resolve())
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                cwd = os.readlink(entry / "cwd")
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            inside = cwd.startswith(str(self.root.resolve() / ".evalmake"))
            if inside or int(entry.name) in started:
                found.append(words)
        return found

    def journal(self) -> list[str]:
        """The files in the journal, hidden ones, too."""
        return sorted(path.name for path in (self.root / ".evalmake" / "journal").glob("*"))

    def journal_entries(self) -> list[str]:
        """The entries of jobs in the journal."""
        return [name for name in self.journal() if name.endswith(".json") and not name.startswith(".")]

    def clean(self) -> None:
        """Assert that no process, journal entry or work folder is left, and that the store is whole."""
        assert self.left() == []
        assert self.journal() == []
        work = self.root / ".evalmake" / "work"
        assert not work.exists() or list(work.iterdir()) == []
        with Store.open(self.root / ".evalmake" / "store") as store:
            assert verify_store(store).wrong == []


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for a process that `Bench.start` started.

    A loaded machine is slow. Only a hang takes so long that the test fails, with what the process said and where
    its threads are.
    """
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it did not end within {PATIENCE:g}s:\n{_abort(process)}") from None
    assert "Traceback" not in err, err
    return Ended(process.returncode, out, err)


def _abort(process: subprocess.Popen[str]) -> str:
    """End a process, which says where its threads are; the end of what it said."""
    process.send_signal(signal.SIGABRT)
    try:
        out, err = process.communicate(timeout=20)
    except subprocess.TimeoutExpired as error:  # what it started holds the pipes
        out, err = (part.decode(errors="replace") if part else "" for part in (error.output, error.stderr))
    return f"{out[-_SHOWN:]}{err[-_SHOWN:]}"


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read what a running build says until a line has a text; return that line."""
    assert process.stderr is not None
    while line := process.stderr.readline():
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text!r}")


def started_in(root: Path) -> list[int]:
    """The processes that jobs below `root` started and left running."""
    mark, found = f"EVALMAKE_WORKDIR={root}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def end_processes(bench: Bench, folder: Path) -> None:
    """End what a failed test left running: builds of a workspace, then the jobs started below a folder."""
    for process in bench.started:
        if process.poll() is None:
            kill(process.pid)
            process.communicate()
    for pid in started_in(folder):
        kill(pid)


def rewrite(root: Path, sort: str, newer: Callable[[Any], object]) -> None:
    """Change every record of a kind in the store of the workspace at `root`."""
    with sqlite3.connect(root / ".evalmake" / "store" / "cache.db") as database:
        rows = database.execute("SELECT key, value FROM Cache WHERE tag = ?", (sort,)).fetchall()
        for key, text in rows:
            value = json.dumps(newer(json.loads(text)))
            database.execute("UPDATE Cache SET value = ? WHERE key = ?", (value, key))
    database.close()


def wait_for(met: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until a condition holds; fail the test after four minutes, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill(pid: int) -> None:
    """End a process that a test started, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
