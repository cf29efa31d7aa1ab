"""`evalmake watch` evaluates each new checkpoint once, whatever happens to it meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalmake.store.store import Store
from tests.support.workspaces import PATIENCE, Bench

EVALFILE = """\
    deployment trained { engine = mock }
    model trained { deployment = trained }
    benchmark scripted {
        harness = command
        files   = file("job.sh")
        run     = "sh data/job.sh"
    }
    eval progress {
        model     = trained
        benchmark = scripted
        weights   in glob("checkpoints/*/", "DONE")
    }
"""
JOB = """\
    echo run >> {root}/runs
    while test -e {root}/hold; do sleep 0.1; done
    echo '{{"accuracy": 0.5}}' > $EVALMAKE_OUT/scores.json
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A project that evaluates the checkpoints of a training; what still runs at the end is ended."""
    made = Bench(tmp_path)
    made.evalfile(EVALFILE)
    made.job(JOB.format(root=tmp_path))
    yield made
    for process in made.started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)


def write_checkpoint(bench: Bench, step: int, complete: bool = True) -> None:
    """What a training leaves; the marker comes last."""
    folder = bench.root / f"checkpoints/step-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_text(f"half of {step}")
    if complete:
        (folder / "model.bin").write_text(f"weights of {step}")
        (folder / "DONE").touch()


def wait(until: Callable[[], bool], watch: subprocess.Popen[str]) -> None:
    """Wait for an event, while the watch runs."""
    end = time.monotonic() + PATIENCE
    while not until():
        assert watch.poll() is None, watch.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def evaluated(bench: Bench) -> list[str]:
    """The checkpoints that have a result, once for each attempt."""
    if not (bench.root / ".evalmake/store/generation").exists():  # the store is being created
        return []
    with Store.read(bench.root / ".evalmake/store") as store:
        attempts = [store.attempt_of_key(key) for key in store.keys_of_kind("record")]
    return sorted(attempt.name.removeprefix("progress/") for attempt in attempts)


def runs(bench: Bench) -> int:
    """How many jobs began."""
    path = bench.root / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a process has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_each_checkpoint_is_evaluated_once(bench: Bench) -> None:
    """Five come one after another, one is half-written for a while, and the watch is killed while a job runs."""
    watch = bench.start("watch", "progress")
    write_checkpoint(bench, 1)
    wait(lambda: evaluated(bench) == ["step-1"], watch)
    write_checkpoint(bench, 2, complete=False)
    write_checkpoint(bench, 3)
    wait(lambda: evaluated(bench) == ["step-1", "step-3"], watch)
    (bench.root / "hold").touch()
    write_checkpoint(bench, 4)
    wait(lambda: runs(bench) == 3, watch)
    [build] = children(watch)
    for pid in (watch.pid, build):
        os.kill(pid, signal.SIGKILL)
    watch.wait()

    write_checkpoint(bench, 2)
    write_checkpoint(bench, 5)
    (bench.root / "hold").unlink()
    watch = bench.start("watch", "progress")
    every = [f"step-{step}" for step in range(1, 6)]
    wait(lambda: evaluated(bench) == every, watch)
    watch.send_signal(signal.SIGINT)
    _, said = watch.communicate(timeout=PATIENCE)
    assert watch.returncode == 0, said
    assert said.splitlines()[-1].startswith("watch ended after ")
    assert evaluated(bench) == every
    assert runs(bench) == 5
    assert {attempt.status for attempt in bench.attempts()} == {"succeeded"}


def test_a_watch_that_is_killed_leaves_its_build_to_the_next(bench: Bench) -> None:
    """If only the watch is killed, its build goes on, and the next watch waits for it: nothing runs twice."""
    (bench.root / "hold").touch()
    write_checkpoint(bench, 1)
    first = bench.start("watch")
    wait(lambda: runs(bench) == 1, first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = bench.start("watch")
    wait(lambda: bool(children(second)), second)
    (bench.root / "hold").unlink()
    write_checkpoint(bench, 2)
    wait(lambda: evaluated(bench) == ["step-1", "step-2"], second)
    assert runs(bench) == 2


def test_a_quiet_folder_is_evaluated_without_a_marker(bench: Bench) -> None:
    """With `--settle`, the watch looks again when the time is up, though nothing has changed since."""
    bench.edit(', "DONE")', ")")
    watch = bench.start("watch", "--settle", "3s", "-j", "1")
    write_checkpoint(bench, 1, complete=False)
    wait(lambda: evaluated(bench) == ["step-1"], watch)
    write_checkpoint(bench, 2, complete=False)
    wait(lambda: evaluated(bench) == ["step-1", "step-2"], watch)
    assert runs(bench) == 2


def test_an_edit_builds_again_and_a_mistake_waits(bench: Bench) -> None:
    """A changed data file runs again; an Evalfile with an error is told, and the watch goes on once it is mended."""
    write_checkpoint(bench, 1)
    watch = bench.start("watch")
    wait(lambda: evaluated(bench) == ["step-1"], watch)
    bench.edit("run     =", "rum     =")
    bench.job(JOB.format(root=bench.root) + "    # another job\n")
    bench.edit("rum     =", "run     =")
    wait(lambda: evaluated(bench) == ["step-1", "step-1"], watch)
    watch.send_signal(signal.SIGTERM)
    out, said = watch.communicate(timeout=PATIENCE)
    assert watch.returncode == 0, said
    assert out.count("1 ran") == 2


def test_a_folder_without_checkpoints_is_told_once(bench: Bench) -> None:
    """However long it stays empty; the first checkpoint ends the wait."""
    (bench.root / "checkpoints").mkdir()
    watch = bench.start("watch", "progress")
    assert watch.stderr is not None
    while "waiting for a change" not in watch.stderr.readline():
        assert watch.poll() is None
    time.sleep(3)  # three looks
    write_checkpoint(bench, 1)
    wait(lambda: evaluated(bench) == ["step-1"], watch)
    watch.send_signal(signal.SIGINT)
    _, said = watch.communicate(timeout=PATIENCE)
    assert "waiting for a change" not in said
    assert "empty-axis" not in said


def test_a_signal_ends_the_build_that_runs(bench: Bench) -> None:
    """Its job is ended, too, and the last line says how many builds there were."""
    (bench.root / "hold").touch()
    write_checkpoint(bench, 1)
    watch = bench.start("watch")
    wait(lambda: runs(bench) == 1, watch)
    watch.send_signal(signal.SIGINT)
    _, said = watch.communicate(timeout=PATIENCE)
    assert watch.returncode == 0, said
    assert said.splitlines()[-1] == "watch ended after 1 build"
    assert not list((bench.root / ".evalmake/journal").glob("*.json"))
