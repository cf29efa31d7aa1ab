"""What a server's process needs besides connections."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

Factory = Callable[[], asyncio.Protocol]
_MOST_ACCEPTED = 64  # connections in one turn of the loop
_ACCEPT_PAUSE = 1.0  # seconds


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class Listener:
    """Accepts connections on a listening socket, many at a time.

    The loops' own servers accept one a turn. Where a crowd keeps a turn long, others would wait for minutes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, factory: Factory) -> None:
        """`factory` makes the protocol of a connection."""
        self.sock = sock
        self._loop = loop
        self._factory = factory
        self._tasks: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self.sock)
        if self._pause is not None:
            self._pause.cancel()
        self.sock.close()

    def _resume(self) -> None:
        self._loop.add_reader(self.sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_MOST_ACCEPTED):
            try:
                connection, _ = self.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor is left: those that wait would wake this again and again
                self._loop.remove_reader(self.sock)
                self._pause = self._loop.call_later(_ACCEPT_PAUSE, self._resume)
                return
            task = self._loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            await self._loop.connect_accepted_socket(self._factory, connection)
        except OSError:  # it is gone already
            connection.close()


def open_port(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens; raises OSError where the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)


def stop_on_signal(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """An event that TERM and INT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def write_port_file(path: Path, port: int) -> None:
    """Write the port at once, by a rename: no reader may see half a number."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(f"{port}\n")
    unfinished.replace(path)
