"""`python -m evalmake.engines.mock`: bind, say where, serve until TERM or INT."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from evalmake.engines.mock.http_server import Connection
from evalmake.engines.mock.service import Service
from evalmake.engines.mock.settings import SettingsError, read_settings


def main() -> int:
    """Serve; 0 after a signal, 1 if the address cannot be had, 2 for wrong settings."""
    options = _options()
    try:
        service = Service(read_settings(options.settings), os.environ.get("MOCK_API_KEY"))
    except SettingsError as error:
        print(f"evalmake.engines.mock: {error}", file=sys.stderr)
        return 2
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_serve(service, options.host, options.port, options.port_file))
    except OSError as error:
        print(f"evalmake.engines.mock: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evalmake.engines.mock", description="An OpenAI-compatible stand-in for a model."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--port-file", type=Path, help="where to write the port once listening")
    parser.add_argument("--settings", default="{}", help="a JSON object")
    return parser.parse_args()


async def _serve(service: Service, host: str, port: int, port_file: Path | None) -> None:
    """Listen until a signal; one run of the loop, as a signal between two would be lost."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(service, loop), host, port, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    if port_file is not None:
        _write_port(port_file, port)
    print(f"listening on http://{host}:{port}", flush=True)
    await stop.wait()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _write_port(path: Path, port: int) -> None:
    """Write beside the file and rename, so that no reader sees half a number."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(f"{port}\n")
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
