"""`python -m evalmake.gateway.sidecar.sidecar BESIDE.json COMMAND...`: a command with gateways of its own beside it.

For jobs that run where no gateway of evalmake's host can be reached, as on the nodes of a cluster. The
command is told where its gateways are and nothing of their keys, and its exit status is ours, unless a
gateway ended the evaluation or failed: then the command is ended with that reason in its log.

The gateways are in this very process, in a thread of their own. Their ports are open before the command
starts; all else of them is loaded when it first asks, so this module imports next to nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

_GRACE = 10.0  # seconds between TERM and KILL
_FAREWELL = 30.0  # seconds that gateways have to write down what is left
_BACKLOG = 1024
_DUMPABLE = 4  # PR_SET_DUMPABLE of prctl(2)
Command = subprocess.Popen[bytes]
FAILED = 70
"""The exit status where a gateway ended the evaluation, or failed."""
NOT_FOUND = 127
"""That of a command that cannot be run, as in a shell."""


class Way(NamedTuple):
    """One gateway: its settings and session, and the variables that it takes and sets."""

    settings: str
    session: str  # the key of its session
    port: int  # the one to have if it is free
    variable: str  # that is told where it is
    secrets: Sequence[str]  # those that are its alone


def text(ways: Sequence[Way]) -> str:
    """As the program reads it."""
    return json.dumps([way._asdict() for way in ways])


def run(ways: Sequence[Way], argv: Sequence[str]) -> int:
    """Run the command beside its gateways; its exit status."""
    environ, hidden = dict(os.environ), {name for way in ways for name in way.secrets}
    for name in hidden:
        os.environ.pop(name, None)
    ports = [_opened(way.port) for way in ways]
    own = {name: value for name, value in environ.items() if name not in hidden}
    told = {w.variable: _url(w, port) for w, port in zip(ways, ports, strict=True)}
    with _passed_on() as begun:
        try:
            command = begun(subprocess.Popen(argv, env={**own, **told}, process_group=0))
        except OSError as error:
            print(f"evalmake: {argv[0]} cannot be run: {error.strerror}", file=sys.stderr)
            return NOT_FOUND
        gateways = _Gateways(ways, ports, environ, hidden, command)
        gateways.start()
        status = command.wait()
        failed = gateways.close()
    if failed:
        return FAILED
    return 128 - status if status < 0 else status


class _Gateways(threading.Thread):
    """The thread that waits for a first request, and then serves until the command is over."""

    def __init__(
        self,
        ways: Sequence[Way],
        ports: Sequence[socket.socket],
        environ: Mapping[str, str],
        hidden: set[str],
        command: Command,
    ) -> None:
        super().__init__(daemon=True)
        self._ways = ways
        self._ports = ports
        self._environs = [{k: v for k, v in environ.items() if k not in hidden or k in way.secrets} for way in ways]
        self._command = command
        self._over = threading.Event()
        self._bell, self._heard = socket.socketpair()
        self._reason = ""

    def run(self) -> None:
        """Serve, and end the command where that is no use to it."""
        try:
            asked, _, _ = select.select([*self._ports, self._heard], [], [])
            if self._heard not in asked:
                from evalmake.gateway.sidecar.embedded_gateways import serve

                told = [way.settings for way in self._ways], [way.session for way in self._ways]
                self._reason = serve(*told, self._ports, self._environs, self._heard)
        except Exception as error:
            self._reason = f"the gateway to its model failed: {error}"
        if self._reason:
            print(f"evalmake: ended, as {self._reason}", file=sys.stderr, flush=True)
            self._end()

    def close(self) -> bool:
        """The command is over: have all that was noted written; whether it was ended for a reason."""
        self._over.set()
        self._bell.close()
        self.join(_FAREWELL)
        return bool(self._reason)

    def _end(self) -> None:
        """End the command: TERM, and KILL after a grace."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._over.is_set():
                _send(self._command, number)
                self._over.wait(_GRACE)


@contextlib.contextmanager
def _passed_on() -> Iterator[Callable[[Command], Command]]:
    """Who ends us ends the command, also while it is on its way; what it has done is still noted."""
    commands: list[Command] = []
    numbers: list[int] = []

    def end(number: int, frame: object) -> None:
        numbers.append(number)
        for command in commands:
            _send(command, number)

    def begun(command: Command) -> Command:
        commands.append(command)
        for number in numbers:
            _send(command, number)
        return command

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield begun
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send(command: Command, number: int) -> None:
    """A signal to the command and to what it started."""
    with contextlib.suppress(OSError):
        os.killpg(command.pid, number)


def _opened(port: int) -> socket.socket:
    """A port that others can connect to from now on: `port` if it is free, as that is a kindness."""
    with contextlib.suppress(OSError):
        return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    return socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)


def _url(way: Way, port: socket.socket) -> str:
    """Where its evaluation finds a gateway."""
    return f"http://127.0.0.1:{port.getsockname()[1]}/t/{way.session}/v1"


def _shut() -> None:
    """Let no other process of our user look into this one: its first environment has the keys."""
    with contextlib.suppress(OSError, AttributeError):  # a system other than Linux
        ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)


def main() -> int:
    """Read the file, run the command."""
    path, *argv = sys.argv[1:]
    os.umask(0o077)
    _shut()
    with open(path, "rb") as file:
        return run([Way(**way) for way in json.load(file)], argv)


if __name__ == "__main__":
    sys.exit(main())
