"""`python -m evalmake.gateway SETTINGS.json`: bind, say where, serve until TERM or INT."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from evalmake.gateway.proxy.gateway import BACKLOG, FLUSH_INTERVAL, Gateway, new_loop, tell
from evalmake.gateway.proxy.request_rewrite import Fixed
from evalmake.gateway.settings import GatewaySettings

_TRIES = 5


def main() -> int:
    """Serve; 0 after a signal, 1 if the address cannot be had, 2 for wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m evalmake.gateway")
    parser.add_argument("settings", type=Path)
    parser.add_argument("--host", action="append", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="the one to have if it is free")
    parser.add_argument("--port-file", type=Path, help="where to write the port once listening")
    options = parser.parse_args()
    os.umask(0o077)
    sys.setswitchinterval(0.0005)  # the cache's threads hand over at once
    try:
        settings = GatewaySettings.read(options.settings)
        Fixed(settings, os.environ)
    except (OSError, ValueError, TypeError, LookupError) as error:
        tell(error)
        return 2
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            hosts = options.host or ["127.0.0.1"]
            runner.run(_serve(settings, hosts, options.port, options.port_file))
    except OSError as error:
        tell(error)
        return 1
    return 0


async def _serve(settings: GatewaySettings, hosts: list[str], port: int, port_file: Path | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings, os.environ)

    servers = await _listen(gateway, hosts, port)
    bound = servers[0].sockets[0].getsockname()[1]
    if port_file is not None:
        unfinished = port_file.with_name(f".{port_file.name}.{os.getpid()}")
        unfinished.write_text(f"{bound}\n")
        unfinished.replace(port_file)
    print(f"listening on http://{hosts[0]}:{bound}", flush=True)
    records = loop.create_task(_keep_records(gateway))
    await stop.wait()
    records.cancel()
    for server in servers:
        server.close()
    await gateway.close()


async def _keep_records(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(FLUSH_INTERVAL)
        gateway.write_records()


async def _listen(gateway: Gateway, hosts: list[str], port: int) -> list[asyncio.Server]:
    """A server on each host, all on one port: `port` if it is free, as that is a kindness."""
    if port:
        with suppress(OSError):
            return await _bound(gateway, hosts, port)
    for _ in range(_TRIES):
        with suppress(OSError):
            return await _bound(gateway, hosts, 0)
    return await _bound(gateway, hosts, 0)


async def _bound(gateway: Gateway, hosts: list[str], port: int) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    try:
        for host in hosts:
            servers.append(await loop.create_server(gateway.accept_connection, host, port, backlog=BACKLOG))
            port = servers[0].sockets[0].getsockname()[1]
    except OSError:
        for server in servers:
            server.close()
        raise
    return servers


if __name__ == "__main__":
    sys.exit(main())
