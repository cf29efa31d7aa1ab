"""`python -m evalmake.gateway.beside BESIDE.json COMMAND...`: a command with gateways of its own beside it.

For jobs that run where no gateway of evalmake's host can be reached, as on the nodes of a cluster. The
gateways are started, the command is told where they are and nothing of their keys, and its exit status
is ours, unless a gateway ended the evaluation or died: then the command is ended with that reason in
its log.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from evalmake.gateway.seeds import DATABASE
from evalmake.gateway.settings import Settings

READY = 60.0  # seconds
_LOOK = 0.2
_GRACE = 10.0
NO_GATEWAY = 70
"""The exit status where a gateway could not be started, or died."""


@dataclass(frozen=True, slots=True)
class Way:
    """One gateway: its settings and session, and the variables that it takes and sets."""

    settings: str
    session: str  # the key of its session
    token: str
    port: int  # the one to have if it is free
    folder: str  # where it notes what was asked
    variable: str  # that is told where it is
    secrets: Sequence[str]  # those that are its alone


def text(ways: Sequence[Way]) -> str:
    """As the program reads it."""
    return json.dumps([asdict(way) for way in ways])


class Running:
    """A gateway that was started."""

    def __init__(self, way: Way, environ: Mapping[str, str], hidden: set[str]) -> None:
        self.way = way
        self.port = 0
        self._port_file = Path(f"{way.settings}.port")
        self._port_file.unlink(missing_ok=True)
        kept = {k: v for k, v in environ.items() if k not in hidden or k in way.secrets}
        _leave_out_what_is_not_there(Path(way.settings))
        argv = [sys.executable, "-P", "-m", "evalmake.gateway", way.settings]
        argv += ["--port", str(way.port), "--port-file", str(self._port_file)]
        self.process = subprocess.Popen(argv, env=kept, stdout=subprocess.DEVNULL, process_group=0)

    def ready(self) -> bool:
        """Whether it listens; it is not, where it ended."""
        deadline = time.monotonic() + READY
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                self.port = int(self._port_file.read_text())
                return True
            time.sleep(0.01)
        return False

    @property
    def url(self) -> str:
        """Where its evaluation finds it."""
        return f"http://127.0.0.1:{self.port}/t/{self.way.session}/v1"

    def reason(self) -> str:
        """Why the evaluation is to end now; empty where it is not."""
        if self.process.poll() is not None:
            return f"the gateway ended with status {self.process.returncode}"
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return str(
                json.loads((Path(self.way.folder) / "usage.json").read_bytes()).get("fatal") or ""
            )
        return ""

    def close(self) -> None:
        """Have all that was noted written, and end it."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            head = {"Authorization": f"Bearer {self.way.token}"}
            connection.request("POST", f"/t/{self.way.session}/close", headers=head)
            connection.getresponse().read()
        self.end()

    def end(self) -> None:
        """TERM, and KILL after a grace."""
        _end(self.process)


def run(ways: Sequence[Way], argv: Sequence[str]) -> int:
    """Run the command beside its gateways; its exit status."""
    environ, hidden = dict(os.environ), {name for way in ways for name in way.secrets}
    for name in hidden:
        os.environ.pop(name, None)
    with _gateways(ways, environ, hidden) as started:
        for one in started:
            if not one.ready():
                print("evalmake: the gateway to its model did not start", file=sys.stderr)
                return NO_GATEWAY
        told = {one.way.variable: one.url for one in started}
        own = {name: value for name, value in environ.items() if name not in hidden}
        command = subprocess.Popen(argv, env={**own, **told}, process_group=0)
        with _passed_on(command):
            return _watched(command, started)


@contextlib.contextmanager
def _gateways(
    ways: Sequence[Way], environ: Mapping[str, str], hidden: set[str]
) -> Iterator[list[Running]]:
    started: list[Running] = []
    try:
        for way in ways:
            started.append(Running(way, environ, hidden))
        yield started
    finally:
        for one in started:
            one.close() if one.port else one.end()


def _watched(command: subprocess.Popen[bytes], gateways: Sequence[Running]) -> int:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = command.wait(_LOOK)
            return 128 - status if status < 0 else status
        for one in gateways:
            if why := one.reason():
                print(f"evalmake: ended, as {why}", file=sys.stderr)
                _end(command)
                return NO_GATEWAY


@contextlib.contextmanager
def _passed_on(command: subprocess.Popen[bytes]) -> Iterator[None]:
    """Who ends us ends the command; what it has done is still noted."""

    def end(number: int, frame: object) -> None:
        with contextlib.suppress(OSError):
            os.killpg(command.pid, number)

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_out_what_is_not_there(settings: Path) -> None:
    """Replies to begin with are a kindness: the first job has none."""
    told = Settings.read(settings)
    there = [seed for seed in told.seeds if (Path(seed) / DATABASE).exists()]
    settings.write_text(replace(told, seeds=there).text())


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return


def main() -> int:
    """Read the file, run the command."""
    path, *argv = sys.argv[1:]
    os.umask(0o077)
    return run([Way(**way) for way in json.loads(Path(path).read_bytes())], argv)


if __name__ == "__main__":
    sys.exit(main())
