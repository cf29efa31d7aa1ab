"""The gateway beside a bare aiohttp proxy and nemo-evaluator's, in one run on one machine.

All of them forward to one upstream that costs next to nothing. A proxy has one core for itself;
the upstream and the load share the others. The proxies take turns in each of several rounds; a
row is the best of its rounds, beside the median of their rates. On a busy machine, where a proxy has
less of its core than it would take, the processor time of a request is the figure to go by.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from tests.benchmarks import processes, proxies
from tests.benchmarks.figures import DIRECT, Cell, Figures, ratios, table
from tests.benchmarks.load import Load
from tests.benchmarks.processes import Command, Cores, Server, served
from tests.benchmarks.proxies import Proxy
from tests.support.daemons import free_port


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this benchmark."""
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--warm", type=float, default=0.5, help="seconds before it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--replays", type=int, default=1000, help="requests that a cache knows")
    parser.add_argument("--nemo", type=Path, help=f"where {proxies.NEMO} is, or will be installed")
    parser.add_argument("--no-nemo", action="store_true", help="leave it out")
    parser.add_argument("--no-pin", action="store_true", help="any process on any core")
    parser.set_defaults(measure=main)


def main(options: argparse.Namespace) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evalmake-bench-") as scratch:
        root = Path(scratch)
        compared = [proxies.bare(), *proxies.gateways(), *_nemos(options, root / "nemo")]
        with ExitStack() as stack:
            figures = _Bench(options, root, stack).measured(compared)
    for line in (*table(figures), "", *ratios(figures)):
        print(line)
    return 0


def _nemos(options: argparse.Namespace, folder: Path) -> Iterator[Proxy]:
    """None of them where they are not to be had, and the reason in the output."""
    if options.no_nemo:
        print(f"{proxies.NEMO} is left out, as --no-nemo says\n", flush=True)
        return
    try:
        python = proxies.installed((options.nemo or folder).absolute())
    except (RuntimeError, OSError) as error:
        print(f"{proxies.NEMO} is left out, it cannot be installed: {error}\n", flush=True)
        return
    yield from proxies.nemos(python)


class _Subject(NamedTuple):
    """A server that is measured."""

    name: str
    path: str
    replays: bool
    server: Server


class _Bench:
    """The upstream, and what is measured in front of it; `stack` ends the servers."""

    def __init__(self, options: argparse.Namespace, root: Path, stack: ExitStack) -> None:
        self._options = options
        self._root = root
        self._stack = stack
        self._proxys, self._others = (None, None) if options.no_pin else _cores()
        self._next = 0
        self._oddities: list[str] = []
        port = free_port()
        argv = (sys.executable, "-m", "tests.benchmarks.upstream", str(port))
        upstream = served(Command(argv, port), root / "upstream", self._others)
        self._upstream = stack.enter_context(upstream)
        self._address = f"http://127.0.0.1:{port}"

    def measured(self, compared: Sequence[Proxy]) -> Figures:
        """Measure everything."""
        subjects = [_Subject(DIRECT, proxies.PATH, False, self._upstream)]
        subjects += [self._started(proxy) for proxy in compared]
        found: dict[tuple[str, int], list[Cell]] = {
            (subject.name, connections): [] for subject in subjects for connections in self._options.connections
        }
        for number in range(self._options.rounds):
            for connections in self._options.connections:
                for subject in subjects:
                    _tell(f"round {number + 1}, {connections} connections: {subject.name}")
                    found[subject.name, connections].append(self._cell(subject, connections))
        _tell("")
        memory = {one.name: processes.peak_memory(one.server.pid) for one in subjects}
        return Figures(found, memory, self._oddities)

    def _started(self, proxy: Proxy) -> _Subject:
        """The proxy at work, with its cache on disk if it is to replay."""
        if proxy.replays:
            _tell(f"filling the cache: {proxy.name}")
            with self._served(proxy) as server:
                count = str(self._options.replays)
                self._load(server.port, proxy.path, 16, "--requests", count, "--seconds", "600")
        server = self._stack.enter_context(self._served(proxy))
        return _Subject(proxy.name, proxy.path, proxy.replays, server)

    def _served(self, proxy: Proxy) -> AbstractContextManager[Server]:
        folder = self._root / proxy.name
        return served(proxy.start(folder, self._address), folder, self._proxys)

    def _cell(self, subject: _Subject, connections: int) -> Cell:
        """One measurement."""
        options, server = self._options, subject.server
        numbers = ("--distinct", str(options.replays)) if subject.replays else ("--first", self._first())
        times = ("--seconds", str(options.seconds), "--warm", str(options.warm))
        asked, spent = self._posts(), processes.processor_seconds(server.pid)
        load = self._load(server.port, subject.path, connections, *numbers, *times)
        spent = processes.processor_seconds(server.pid) - spent
        self._check(subject, load, self._posts() - asked)
        return Cell(load.rate, load.p50, load.p99, spent / max(load.requests, 1) * 1000)

    def _check(self, subject: _Subject, load: Load, asked: int) -> None:
        """Note where it was not measured what the row says."""
        if load.failed:
            self._oddities.append(f"{subject.name}: {load.failed} of {load.requests} failed")
        if asked != (0 if subject.replays else load.requests):
            said = f"{subject.name}: {asked} of {load.requests} requests went upstream"
            self._oddities.append(said)

    def _load(self, port: int, path: str, connections: int, *more: str) -> Load:
        """One run of the load generator."""
        argv = [sys.executable, "-m", "tests.benchmarks.load", str(port), path]
        argv += ["--connections", str(connections), *more]
        with subprocess.Popen(argv, cwd=processes.HERE, stdout=subprocess.PIPE, start_new_session=True) as child:
            processes.pin(child.pid, self._others)
            said, _ = child.communicate()
        if child.returncode:
            raise RuntimeError(f"{' '.join(argv)} ended with {child.returncode}")
        return Load(**json.loads(said))

    def _first(self) -> str:
        """A number from which on no request was made yet."""
        self._next += 10**8
        return str(self._next)

    def _posts(self) -> int:
        with urlopen(self._address) as reply:
            return int(reply.read())


def _cores() -> tuple[Cores | None, Cores | None]:
    """A proxy's core, and the others'; None where there is but one, or no way to choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    *others, last = sorted(os.sched_getaffinity(0))
    return (frozenset({last}), frozenset(others)) if others else (None, None)


def _tell(text: str) -> None:
    """On one line that is written over and over, where somebody looks on."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
