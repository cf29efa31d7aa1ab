"""`evalmake WORDS` in a process that is forked from one that has imported it: less than half the processor time.

Most of a small build's time goes into imports, and the tests build a thousand times. Only imports and the parser are
shared: each build has its folder, environment, session and streams. `python -m tests.support.fork_server NUMBER`
serves the builds of one process of tests, over the socket of that number.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import itertools
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.support.evalfiles import PROGRAM
from tests.support.repository import ROOT

_PRELOADED = (
    *("evalmake.cli", "evalmake.command_line.build_run", "evalmake.execution", "evalmake.language.parser"),
    *("evalmake.language.tree_builder", "evalmake.planner.graph", "evalmake.preflight.catalog_requirements"),
    *("evalmake.run.scheduler.scheduler", "evalmake.session", "evalmake.store.database", "evalmake.value_files"),
    *("evalmake.engines.mock.engine", "evalmake.executors.process", "evalmake.harnesses.command"),
    *("evalmake.harnesses.native.answers.letter", "evalmake.harnesses.native.answers.number"),
    *("evalmake.harnesses.native.data_check", "evalmake.harnesses.native.harness"),
    *("asyncio", "diskcache", "encodings.idna", "faulthandler", "lark", "networkx"),
)
_READ_AT_START = ("PYTHON", "LC_", "LANG")
"""Of variables that begin so, Python has its own idea once it runs."""
_ENVIRON = dict(os.environ)
_TURNS = itertools.cycle((0, 1))
_ONE_AT_A_TIME = threading.Lock()


def _read_status(name: str) -> str:
    """A line of what the kernel tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def _read_inherited() -> tuple[str, list[str]]:
    """What the servers inherit, and a build from them: ignored signals and limits.

    The limit of open files is left out where it only rose: every build raises it.
    """
    limits = Path("/proc/self/limits").read_text().splitlines()
    risen = resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= _OPEN_FILES
    return _read_status("SigIgn"), [line for line in limits if not (risen and line.startswith("Max open files"))]


_OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
_INHERITED = _read_inherited()


def can_fork(environ: Mapping[str, str]) -> bool:
    """Whether evalmake would start in an environment, and as this process is now, as the servers did."""
    names = {name for name in {*environ, *_ENVIRON} if name.startswith(_READ_AT_START)}
    return all(environ.get(name) == _ENVIRON.get(name) for name in names) and _read_inherited() == _INHERITED


class ForkedProcess:
    """`evalmake WORDS`, which writes to two descriptors."""

    def __init__(self, words: tuple[str, ...], folder: Path, environ: Mapping[str, str], out: int, err: int) -> None:
        """Start it, by two servers in turn: Python hashes texts by another seed in each, as it does at each start."""
        umask = int(_read_status("Umask"), 8)
        request = json.dumps([words, str(folder), dict(environ), umask]).encode()
        self._status, status = os.pipe()
        try:
            with _ONE_AT_A_TIME:
                server = _servers()[next(_TURNS)]
                socket.send_fds(server, [len(request).to_bytes(4, "big")], [out, err, status])
                server.sendall(request)
        finally:
            os.close(status)
        self.pid = int(self._read_line(None))

    def wait(self, seconds: float) -> int:
        """The status at its end, negative after a signal; raises TimeoutError."""
        status = int(self._read_line(seconds))
        os.close(self._status)
        return status

    def _read_line(self, seconds: float | None) -> bytes:
        if not select.select([self._status], [], [], seconds)[0]:
            raise TimeoutError
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(self._status, 1)  # the next line may be there, too
            assert piece, "the server ended"
            line += piece
        return line


class ForkedPopen:
    """`evalmake WORDS` with pipes for its output: as `subprocess.Popen`, as far as tests need that."""

    stdin = None

    def __init__(self, words: tuple[str, ...], folder: Path, environ: Mapping[str, str]) -> None:
        """Start it."""
        (read_out, out), (read_err, err) = os.pipe(), os.pipe()
        try:
            self._process = ForkedProcess(words, folder, environ, out, err)
        finally:
            os.close(out)
            os.close(err)
        self.args, self.pid = ["evalmake", *words], self._process.pid
        self.returncode: int | None = None
        self.stdout, self.stderr = os.fdopen(read_out, encoding="utf-8"), os.fdopen(read_err, encoding="utf-8")
        self._said = ["", ""]
        self._readers: list[threading.Thread] = []

    def poll(self) -> int | None:
        """The status if it has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The status at its end."""
        if self.returncode is None:
            try:
                self.returncode = self._process.wait(timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it writes, or has written since it was last read, until its end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            self._readers = [threading.Thread(target=self._read, args=(at,), daemon=True) for at in (0, 1)]
            for reader in self._readers:
                reader.start()
        for reader in self._readers:
            reader.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return self._said[0], self._said[1]

    def _read(self, at: int) -> None:
        with (self.stdout, self.stderr)[at] as stream:
            self._said[at] = stream.read()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it TERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


@cache
def _servers() -> tuple[socket.socket, socket.socket]:
    return _start_server(), _start_server()


def _start_server() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        argv = [sys.executable, "-m", "tests.support.fork_server", str(number)]
        process = subprocess.Popen(argv, cwd=ROOT, env=_ENVIRON, pass_fds=[number], stdin=subprocess.DEVNULL)

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours


def serve(connection: socket.socket) -> None:
    """Fork a process for each request, until the other side is closed."""
    gc.disable()
    for name in _PRELOADED:
        importlib.import_module(name)
    _parse_once()
    _read_target_once()
    gc.freeze()  # a forked process need not look at it, and so copies less
    gc.enable()
    while True:
        size, files, _, _ = socket.recv_fds(connection, 4, 3)
        if not size:
            return
        request = b""
        while len(request) < int.from_bytes(size, "big"):
            request += connection.recv(2**16)
        if not (child := os.fork()):
            connection.close()
            _watch(request, *files)
            return
        for file in files:
            os.close(file)
        os.waitpid(child, 0)


def _parse_once() -> None:
    """Read the grammar, and compile the patterns of its words, which are the same for every Evalfile."""
    from evalmake.language.parser import parse
    from evalmake.language.source import Source

    parse(Source("Evalfile", PROGRAM))


def _read_target_once() -> None:
    """Compile the patterns with which a build checks the targets of its data."""
    from evalmake.harnesses.native.answers.number import read_target

    read_target("42")


def _watch(request: bytes, out: int, err: int, status: int) -> None:
    """Fork the build from a process that nobody waits for, and tell how it ends."""
    if os.fork():
        os._exit(0)
    if not (pid := os.fork()):
        os.close(status)
        words, folder, environ, umask = json.loads(request)
        os.umask(umask)
        _build(words, folder, environ, out, err)
        return
    os.close(out)
    os.close(err)
    os.write(status, b"%d\n" % pid)
    _, ended = os.waitpid(pid, 0)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(ended))
    os._exit(0)


def _build(words: list[str], folder: str, environ: dict[str, str], out: int, err: int) -> None:
    """Become evalmake, which exits as it would have if it had been started."""
    import faulthandler

    from evalmake.__main__ import main

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    faulthandler.enable()
    sys.argv = ["evalmake", *words]
    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
