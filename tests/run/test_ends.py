"""However a build ends, it ends what it started, and its status never means something else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalmake.cli import run
from evalmake.run.events import BuildStarted
from evalmake.terminal import progress
from tests.support.kill_trials import TRIALS, mixed_cells, seeded_dice
from tests.support.workspaces import SCORE, TRIED, Bench, end, wait_for

WAYS = ("KILL", "TERM", "HUP", "INT", "PIPE", "full")


def test_ends_at_random_moments(bench: Bench) -> None:
    """Signals and a full stderr at any moment leave no process, change no score, and give the right status."""
    calm, began = mixed_cells(bench.root / "calm", 6, 2), time.monotonic()
    assert calm.run().status == 0
    length, dice = time.monotonic() - began, seeded_dice()
    for trial in range(TRIALS):
        way = WAYS[trial % len(WAYS)]
        work = mixed_cells(bench.root / f"{trial}-{way}", 6, 2)
        moment = dice.uniform(0.02, 1) * length
        status, err = end_by(work, way, moment)
        print(f"{way} after {moment:.2f}s: {status}")
        assert "Traceback" not in err, err
        if way == "KILL":
            assert status in (0, -signal.SIGKILL)
        else:
            # A signal that comes after the last evaluation ended finds nothing to interrupt.
            assert status in ((0,) if way in ("PIPE", "full") else (0, 130)), err
            assert work.left() == []
        ended = work.run()
        assert ended.status == 0, ended.text
        assert work.scores() == calm.scores()
        work.clean()


def end_by(work: Bench, way: str, moment: float) -> tuple[int, str]:
    """Start a build, end it in some way after so many seconds; its status and what it said."""
    log = work.root / "stderr"
    with open("/dev/full" if way == "full" else log, "wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "evalmake"],
            cwd=work.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        work.started.append(process)  # type: ignore[arg-type]
        if way != "full" and not started_up(process.pid):
            moment = 0.0
        if way != "full":
            time.sleep(moment)
            process.send_signal(getattr(signal, f"SIG{way}"))
        return process.wait(240), log.read_text() if log.exists() else ""


def started_up(pid: int) -> bool:
    """Wait until evalmake handles signals: before, Python itself starts. False where it has ended already."""
    handled = 1 << (signal.SIGTERM - 1)
    while True:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return False
        found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if "Z" in found["State"] or int(found["SigCgt"], 16) & handled:
            return True
        time.sleep(0.001)


@pytest.mark.parametrize("way", ["2>&1 | head -1", "2>&-", ">&- 2>&-", "2>/dev/full", "| true"])
def test_nobody_reads(bench: Bench, way: str) -> None:
    """A build whose output nobody reads goes on, and its status is its own."""
    work = mixed_cells(bench.root / "work", 6, 2)
    line = f'"$@" {way}; exit "${{PIPESTATUS[0]}}"'
    argv = ["bash", "-c", line, "bash", sys.executable, "-m", "evalmake"]
    done = subprocess.run(argv, cwd=work.root, stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert len(work.scores()) == 8
    again = subprocess.run(argv, cwd=work.root, stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
    assert again.returncode == 0, again.stderr
    work.clean()


def test_full_stdout(bench: Bench) -> None:
    """A result that cannot be written is an error with its reason, also of a null build, and is stored all the same."""
    bench.evalfile(TRIED)
    bench.job(SCORE)
    for words in ((), (), ("list",)):
        argv = ["sh", "-c", '"$@" >/dev/full', "sh", sys.executable, "-m", "evalmake", *words]
        done = subprocess.run(argv, cwd=bench.root, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 2
        assert (
            "error: cannot write to standard output: No space left on device\nhelp: results are stored: " in done.stderr
        )
    assert len(bench.attempts()) == 8
    again = bench.run()
    assert again.status == 0
    assert again.out
    bench.clean()


@pytest.mark.parametrize(
    "words", [("help", "language"), ("-n",), ("-v", "-n"), ("list",), ("fmt", "--check"), ("--help",), ("--version",)]
)
def test_a_reader_of_a_command_goes_away(bench: Bench, words: tuple[str, ...]) -> None:
    """A command whose output nobody reads ends silently with 141, as one that SIGPIPE ends, and never with 1."""
    bench.evalfile(TRIED + "\n\n\n\n")  # not as `fmt` writes it, so that each of them prints
    bench.job(SCORE)
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, "-m", "evalmake", *words]
    done = subprocess.run(argv, cwd=bench.root, stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_another_pipe_that_breaks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken pipe of something else than stdout is an error, neither status 1 nor taken for a reader that left."""

    def break_pipe(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("evalmake.commands.catalog._render_table", break_pipe)
    assert run(["catalog"]) == 2
    assert "Broken pipe" in capsys.readouterr().err


def test_ignored_signals_stay_ignored(bench: Bench) -> None:
    """A build under `nohup` outlives its terminal."""
    bench.evalfile(TRIED)
    go = bench.root / "go"
    bench.job(f"while ! test -e {go}; do sleep 0.05; done\n{SCORE}")
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = bench.start()
    finally:
        signal.signal(signal.SIGHUP, previous)
    wait_for(lambda: bench.journal_entries() != [])
    process.send_signal(signal.SIGHUP)
    go.touch()
    assert end(process).status == 0
    bench.clean()


def test_a_defect_of_the_display(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of the progress display is printed once, and no event fails any more."""
    monkeypatch.setattr(progress, "describe_event", lambda event, verbose: 1 / 0)
    view = progress.open_view(quiet=False, verbose=False)
    for _ in range(3):
        view(BuildStarted(1, {}))
    view.close()
    err = capsys.readouterr().err
    assert err.count("ZeroDivisionError") == 1
    assert err.endswith("the progress cannot be shown any more; the build goes on\n")


def test_a_defect_is_no_gate(bench: Bench) -> None:
    """A defect of evalmake keeps its traceback and exits with 2: 1 means that a gate is not met."""
    bench.evalfile(TRIED)
    imports = "import sys, evalmake.command_line.build_run as b; from evalmake.cli import run"
    program = f"{imports}; b.build = None; sys.exit(run([]))"
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=bench.root, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
