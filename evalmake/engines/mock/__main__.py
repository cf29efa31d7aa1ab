"""`python -m evalmake.engines.mock`: listen, print the address, serve until TERM or INT."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # imports leave no garbage

import argparse
import asyncio
import os
import sys
from pathlib import Path

from evalmake.engines.mock.http_server import ClientConnection
from evalmake.engines.mock.service import Service
from evalmake.engines.mock.settings import SettingsError, read_settings
from evalmake.http_protocol.serving import new_event_loop, stop_on_signal, write_port_file


def main() -> int:
    """Serve. Returns 0 after a signal, 1 if the address is taken, 2 for wrong settings."""
    options = _parse_options()
    try:
        service = Service(read_settings(options.settings), os.environ.get("MOCK_API_KEY"))
    except SettingsError as error:
        print(f"evalmake.engines.mock: {error}", file=sys.stderr)
        return 2
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(service, options.host, options.port, options.port_file))
    except OSError as error:
        print(f"evalmake.engines.mock: {error}", file=sys.stderr)
        return 1
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evalmake.engines.mock", description="An OpenAI-compatible stand-in for a model."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--port-file", type=Path, help="where to write the port once listening")
    parser.add_argument("--settings", default="{}", help="a JSON object")
    return parser.parse_args()


async def _serve(service: Service, host: str, port: int, port_file: Path | None) -> None:
    """Listen until a signal. All in one run of the loop: a signal between two runs would be lost."""
    loop = asyncio.get_running_loop()
    stop = stop_on_signal(loop)
    server = await loop.create_server(lambda: ClientConnection(service, loop), host, port, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    if port_file is not None:
        write_port_file(port_file, port)
    print(f"listening on http://{host}:{port}", flush=True)
    await stop.wait()


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    status = main()
    gc.freeze()  # there is nothing to collect as it ends
    sys.exit(status)
