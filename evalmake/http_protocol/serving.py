"""What a server's process needs besides connections."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


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
