"""A command with gateways of its own, for jobs that cannot reach a gateway on evalmake's host.

That is so on the nodes of a cluster. The command gets the gateways' URLs and none of their keys. The sidecar's
exit status is the command's, unless a gateway stops the evaluation or fails: then the sidecar ends the
command and writes the reason to its log.

The gateways run in this process, in one thread. Their ports are open before the command starts. The rest of
them is loaded at the first request, so a command that sends none pays nothing: this module imports next to
nothing (tests/test_imports.py).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from evalmake.gateway.sidecar.settings import SidecarGateway
from evalmake.process_secrecy import erase_environment

_GRACE = 10.0  # seconds between TERM and KILL
_CLOSE_TIMEOUT = 30.0  # seconds that gateways have to write what is left
_BACKLOG = 1024
_LOOK_UP = 0.5  # seconds
Command = subprocess.Popen[bytes]
GATEWAY_FAILED = 70
"""The exit status when a gateway stopped the evaluation, or failed."""
COMMAND_NOT_FOUND = 127
"""The exit status when the command cannot be run, as in a shell."""


def run_command(gateways: Sequence[SidecarGateway], argv: Sequence[str]) -> int:
    """Run the command next to its gateways; returns the exit status."""
    environ, secret_names = dict(os.environ), {name for gateway in gateways for name in gateway.secrets}
    erase_environment(secret_names)
    for name in secret_names:
        os.environ.pop(name, None)
    ports = [_open_port(gateway.port) for gateway in gateways]
    inherited = {name: value for name, value in environ.items() if name not in secret_names}
    urls = {gateway.variable: _gateway_url(gateway, port) for gateway, port in zip(gateways, ports, strict=True)}
    with _forwarded_signals() as forward_to:
        try:
            command = forward_to(subprocess.Popen(argv, env={**inherited, **urls}, process_group=0))
        except OSError as error:
            print(f"evalmake: cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
            return COMMAND_NOT_FOUND
        thread = _GatewayThread(gateways, ports, environ, secret_names, command)
        thread.start()
        status = _wait(command)
        failed = thread.close()
    if failed:
        return GATEWAY_FAILED
    return 128 - status if status < 0 else status


class _GatewayThread(threading.Thread):
    """The thread that waits for a first request, and then serves until the command ends."""

    def __init__(
        self,
        gateways: Sequence[SidecarGateway],
        ports: Sequence[socket.socket],
        environ: Mapping[str, str],
        secret_names: set[str],
        command: Command,
    ) -> None:
        super().__init__(daemon=True)
        self._gateways = gateways
        self._ports = ports
        self._environs = [
            {name: value for name, value in environ.items() if name not in secret_names or name in gateway.secrets}
            for gateway in gateways
        ]
        self._command = command
        self._command_ended = threading.Event()
        self._closing, self._closed = socket.socketpair()  # closing one end wakes whoever waits for the other
        self._reason = ""

    def run(self) -> None:
        """Serve, and end the command when it cannot succeed."""
        try:
            ready, _, _ = select.select([*self._ports, self._closed], [], [])
            if self._closed not in ready:
                from evalmake.gateway.sidecar.embedded_gateways import serve_gateways

                self._reason = serve_gateways(self._gateways, self._ports, self._environs, self._closed)
        except Exception as error:
            self._reason = f"the gateway to its model failed: {error}"
        if self._reason:
            print(f"evalmake: ended the command: {self._reason}", file=sys.stderr, flush=True)
            self._end_command()

    def close(self) -> bool:
        """Write what is left after the command's end; returns whether a gateway ended it."""
        self._command_ended.set()
        self._closing.close()
        self.join(_CLOSE_TIMEOUT)
        return bool(self._reason)

    def _end_command(self) -> None:
        """Send TERM, and KILL after a grace."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._command_ended.is_set():
                _send_signal(self._command, number)
                self._command_ended.wait(_GRACE)


@contextlib.contextmanager
def _forwarded_signals() -> Iterator[Callable[[Command], Command]]:
    """Forward TERM and INT to the command, also those that arrive while it starts.

    The sidecar itself goes on until the command ends, so that the gateways write what they noted.
    """
    commands: list[Command] = []
    received: list[int] = []

    def forward(number: int, frame: object) -> None:
        received.append(number)
        for command in commands:
            _send_signal(command, number)

    def forward_to(command: Command) -> Command:
        commands.append(command)
        for number in received:
            _send_signal(command, number)
        return command

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield forward_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(command: Command) -> int:
    """Wait for the command's end. Look up now and then: a signal that comes just before a wait is handled after it."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return command.wait(_LOOK_UP)


def _send_signal(command: Command, number: int) -> None:
    """Send a signal to the command and to all that it started."""
    with contextlib.suppress(OSError):
        os.killpg(command.pid, number)


def _open_port(port: int) -> socket.socket:
    """Listen on `port`, or on any port if that one is in use; connections queue from now on."""
    with contextlib.suppress(OSError):
        return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    return socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)


def _gateway_url(gateway: SidecarGateway, port: socket.socket) -> str:
    """The base URL of a gateway for its evaluation."""
    return f"http://127.0.0.1:{port.getsockname()[1]}/t/{gateway.session}/v1"
