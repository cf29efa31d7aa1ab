"""Builds that are forked from a process that has imported evalmake are as those that are started."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.fork_server import can_fork
from tests.support.workspaces import SCORE, TRIED, Bench, end, read_until


@contextmanager
def ignored_signal() -> Iterator[None]:
    """Ignore a signal, as `nohup` does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


@contextmanager
def limit(kind: int, change: int) -> Iterator[None]:
    """Lower or raise a limit by some number."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (before[0] + change if before[0] > 0 else 2**40, before[1]))
    yield
    resource.setrlimit(kind, before)


@pytest.mark.parametrize(
    "differently",
    [ignored_signal, lambda: limit(resource.RLIMIT_AS, 0), lambda: limit(resource.RLIMIT_NOFILE, -100)],
    ids=["ignored", "memory", "files"],
)
def test_what_would_inherit_something_else_is_started(differently: Callable[[], Iterator[None]]) -> None:
    """Ignored signals and limits of this moment reach no forked build, so one is started."""
    environ = dict(os.environ)
    assert can_fork(environ)
    with differently():
        assert not can_fork(environ)
    assert can_fork(environ)


@pytest.mark.parametrize("forks", [True, False])
def test_the_mask_of_files_is_that_of_this_moment(bench: Bench, forks: bool) -> None:
    """Jobs have the mask that is in force as the build begins."""
    bench.forks = forks
    bench.evalfile(TRIED.replace("1..8", "1..1"))
    bench.job(f"umask > {bench.root}/mask\n{SCORE}")
    before = os.umask(0o027)
    try:
        assert bench.run().status == 0
    finally:
        os.umask(before)
    assert (bench.root / "mask").read_text() == "0027\n"


@pytest.mark.parametrize("forks", [True, False])
def test_a_build_is_watched_and_ended(bench: Bench, forks: bool) -> None:
    """A signal ends it, its status says so, and its output is read, by lines and as a whole."""
    bench.forks = forks
    bench.evalfile(TRIED)
    bench.job("sleep 60\n")
    process = bench.start()
    while not bench.journal_entries():
        assert process.poll() is None
    process.kill()
    assert process.wait(60) == process.returncode == process.poll() == -signal.SIGKILL
    process = bench.start("--no-such-option")
    assert "no-such-option" in read_until(process, "error: ")
    assert end(process).status == 2
