"""Servers that tests run in the background: programs, each ended by its process id."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PORTS = range(24_000, 32_000)  # below those that the system hands out to clients
PATIENCE = 240


@dataclass
class Daemon:
    """A program in the foreground of its own session; it ends when the test process does, however that ends."""

    argv: Sequence[str]
    log: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, ready: Callable[[], object]) -> None:
        """Start it and wait until it is ready; where that fails, its log is the message."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.cwd,
                env=os.environ | self.env,
            )
        until(lambda: ready() or not self.alive(), self.said)
        assert self.alive(), self.said()

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        """The end of its log."""
        return f"{self.argv[0]}: {self.log.read_text(errors='replace')[-3000:]}"

    def stop(self, by: int = signal.SIGTERM) -> None:
        """End it by a signal, and for good after a while."""
        if self.process is None:
            return
        self.process.send_signal(by)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def needed(what: str, lacking: str) -> None:
    """A test without a service is skipped, but fails under CI."""
    if lacking and "CI" in os.environ:
        pytest.fail(f"no {what}: {lacking}")
    if lacking:
        pytest.skip(f"no {what}: {lacking}")


def until(met: Callable[[], object], said: Callable[[], object] = lambda: "") -> None:
    """Wait until something holds; four minutes without it fail the test with what `said` says."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


def port() -> int:
    """A port that nothing listens on, of those that no client is given."""
    for number in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", number))
            return number
    raise AssertionError("no free port")


def within(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
    return found


def descendants(roots: list[int]) -> list[int]:
    """Some processes and all that come from them."""
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(process.name))
    found = list(roots)
    for pid in found:
        found += children.get(pid, [])
    return found


def kill(pids: list[int]) -> None:
    """Kill processes, of which some may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
