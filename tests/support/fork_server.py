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
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
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


def can_fork(environ: Mapping[str, str]) -> bool:
    """Whether Python would start in an environment as it did in that of the servers."""
    names = {name for name in {*environ, *_ENVIRON} if name.startswith(_READ_AT_START)}
    return all(environ.get(name) == _ENVIRON.get(name) for name in names)


class ForkedProcess:
    """`evalmake WORDS`, which writes to two descriptors."""

    def __init__(self, words: tuple[str, ...], folder: Path, environ: Mapping[str, str], out: int, err: int) -> None:
        """Start it, by two servers in turn: Python hashes texts by another seed in each, as it does at each start."""
        request = json.dumps([words, str(folder), dict(environ)]).encode()
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


def _watch(request: bytes, out: int, err: int, status: int) -> None:
    """Fork the build from a process that nobody waits for, and tell how it ends."""
    if os.fork():
        os._exit(0)
    if not (pid := os.fork()):
        os.close(status)
        words, folder, environ = json.loads(request)
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
