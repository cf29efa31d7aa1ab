"""Servers that are measured: started on a core of their own, and what they take. Linux's /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parents[2]
_PATIENCE = 120.0  # seconds until a server must listen
_TICKS = os.sysconf("SC_CLK_TCK")

Cores = frozenset[int]


class Command(NamedTuple):
    """How a server is started that is to listen on `port`; `env` is added to ours."""

    argv: Sequence[str]
    port: int
    env: Mapping[str, str] = {}


class Server(NamedTuple):
    """One at work."""

    pid: int
    port: int


@contextmanager
def served(command: Command, folder: Path, cores: Cores | None) -> Iterator[Server]:
    """Run it, on those cores only, until the block ends; its output is in `folder`/output.

    A session of its own gives it a share of a busy machine that its number of threads does not raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output"
    with output.open("ab") as file:
        child = subprocess.Popen(
            command.argv,
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **command.env},
            start_new_session=True,
        )
    try:
        pin(child.pid, cores)
        until = time.monotonic() + _PATIENCE
        while not _listens(command.port):
            if child.poll() is not None or time.monotonic() > until:
                said = output.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{command.argv} does not listen:\n{said}")
            time.sleep(0.05)
        yield Server(child.pid, command.port)
    finally:
        child.terminate()
        child.wait()


def pin(pid: int, cores: Cores | None) -> None:
    """Keep a process that has just begun on those cores."""
    if cores is not None:
        os.sched_setaffinity(pid, cores)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def peak_memory(pid: int) -> float:
    """MB: the most that was resident, of each process of the tree at its own time."""
    status = [Path(f"/proc/{each}/status").read_text() for each in _tree(pid)]
    return sum(int(text.partition("VmHWM:")[2].split()[0]) for text in status) / 1024


def processor_seconds(pid: int) -> float:
    """Of the whole tree so far, in user and kernel mode."""
    ticks = 0
    for each in _tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))
