"""evalmake inside somebody else's process: threads, interrupts, and what it must leave as it was."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

import evalmake
from tests.support.workspaces import SCORE, Bench, end, wait_for

Ask = Callable[..., evalmake.Result]

INTERRUPTED = """\
    import os, pathlib, signal, sys
    import evalmake

    def hurry(event):
        if type(event).__name__ == "AttemptStarted":
            for _ in range(3):
                os.kill(os.getpid(), signal.{signal})

    def ask(progress=False):
        return evalmake.evaluate(
            evalmake.Model(endpoint="http://127.0.0.1:9/v1", name="m"),
            evalmake.Benchmark(harness="command", run=pathlib.Path("run.sh").read_text()),
            progress=progress,
        )

    before = signal.getsignal(signal.{signal})
    try:
        ask(hurry)
    except KeyboardInterrupt:
        print("interrupted")
    assert signal.getsignal(signal.{signal}) is before
    pathlib.Path("go").touch()
    print(ask())
"""


def waiting(root: Path) -> str:
    """A harness that tells that it runs, and waits until it may end."""
    return f"touch {root}/started\nwhile [ ! -e {root}/go ]; do sleep 0.02; done\n{SCORE}"


@pytest.fixture
def python(bench: Bench) -> Callable[..., subprocess.Popen[str]]:
    """Starts a program of Python in the workspace."""
    (bench.root / "run.sh").write_text(waiting(bench.root))

    def start(text: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", dedent(text)],
            cwd=bench.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        bench.started.append(process)
        return process

    return start


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_ends_only_the_evaluation(
    name: str, bench: Bench, python: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Ctrl-C ends the jobs but not the program, and the next call runs the evaluation again."""
    done = end(python(INTERRUPTED.replace("{signal}", name)))
    assert done.status == 0, done.text
    assert done.out.startswith("interrupted\ncommand: accuracy 0.500, ran ")
    assert [attempt.status for attempt in bench.attempts()] == ["cancelled", "succeeded"]
    assert (bench.left(), bench.journal()) == ([], [])


def test_a_call_takes_over_jobs_of_a_killed_call(bench: Bench, python: Callable[[str], subprocess.Popen[str]]) -> None:
    """After a kernel was killed, the same call takes over its running job."""
    program = INTERRUPTED.replace("{signal}", "SIGINT").replace("ask(hurry)", "ask()")
    dying = python(program)
    wait_for((bench.root / "started").exists)
    dying.kill()
    dying.communicate()
    (bench.root / "started").unlink()
    (bench.root / "go").touch()
    assert end(python(program)).status == 0
    assert [attempt.status for attempt in bench.attempts()] == ["succeeded"]
    assert not (bench.root / "started").exists()
    assert (bench.left(), bench.journal()) == ([], [])


def test_evaluate_leaves_jobs_of_an_evalfile_alone(bench: Bench, program: Ask) -> None:
    """A call does not end jobs that a killed command line left running."""
    (bench.root / "run.sh").write_text(waiting(bench.root))
    bench.evalfile(
        """\
        model nobody {
            endpoint = "http://127.0.0.1:9/v1"
            name     = "nobody"
        }
        benchmark slow {
            harness = command
            files   = file("run.sh")
            run     = "sh data/run.sh"
        }
        eval slow {
            model     = nobody
            benchmark = slow
        }
        """
    )
    dying = bench.start()
    wait_for((bench.root / "started").exists)
    dying.kill()
    dying.communicate()
    assert program(SCORE).value == 0.5
    (bench.root / "started").unlink()
    (bench.root / "go").touch()
    done = bench.run()
    assert "slow: job of an earlier build taken over" in done.err
    assert not (bench.root / "started").exists()
    bench.clean()


def test_threads_can_evaluate(ask: Ask) -> None:
    """Calls from other threads work as in the main thread, and the same evaluation runs once."""
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda at: ask(limit=5), range(3)))
    assert results[0] == results[1] == results[2]
    assert sorted(result.reused for result in results) == [False, True, True]


def test_workspaces_are_independent(bench: Bench, program: Ask) -> None:
    """Calls in several threads, each with its own workspace, run at the same time."""
    barrier = threading.Barrier(2)

    def meet(event: evalmake.Event) -> None:
        if type(event).__name__ == "AttemptStarted":
            barrier.wait(60)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: program(SCORE, workspace=name, progress=meet), ("one", "two")))
    assert [result.reused for result in results] == [False, False]


def test_an_exception_in_progress_ends_the_evaluation(bench: Bench, program: Ask) -> None:
    """An exception in `progress` reaches the caller, and no job is left running."""

    def refuse(event: evalmake.Event) -> None:
        if type(event).__name__ == "AttemptStarted":
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        program(waiting(bench.root), progress=refuse)
    assert bench.left() == []
    (bench.root / "go").touch()
    assert program(waiting(bench.root)).value == 0.5


@pytest.mark.parametrize("collects", [True, False])
def test_the_process_is_unchanged(collects: bool, ask: Ask) -> None:
    """Calls leave the collector, signal handlers, threads, descriptors and the working folder unchanged."""

    def state() -> tuple[object, ...]:
        handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        return (
            gc.isenabled(),
            handlers,
            os.getcwd(),
            dict(os.environ),
        )

    def count_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    ask(limit=2)  # what is loaded once stays
    (gc.enable if collects else gc.disable)()
    try:
        before, frozen, descriptors = state(), gc.get_freeze_count(), count_descriptors()
        threads = threading.active_count()
        for limit in (3, 4, 4):
            ask(limit=limit)
            assert state() == before
            # What an earlier test left may go meanwhile; nothing may be added.
            assert gc.get_freeze_count() <= frozen
            assert threading.active_count() <= threads
            assert count_descriptors() <= descriptors
    finally:
        gc.enable()
