"""`python -m evalmake.gateway SETTINGS.json`: listen, print the address, serve until TERM or INT."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # imports leave no garbage

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from evalmake.gateway.proxy.gateway import BACKLOG, FLUSH_INTERVAL, Gateway, log_error
from evalmake.gateway.proxy.request_rewrite import RequestRewrite
from evalmake.gateway.secret_input import read_secrets
from evalmake.gateway.settings import GatewaySettings
from evalmake.http_protocol.serving import Listener, new_event_loop, open_port, stop_on_signal, write_port_file
from evalmake.process_secrecy import erase_environment, forbid_inspection
from evalmake.upstream.connection_pool import Network

_TRIES = 5


def main() -> int:
    """Serve. Returns 0 after a signal, 1 if the address is taken, 2 for wrong settings."""
    options = _parse_options()
    os.umask(0o077)
    sys.setswitchinterval(0.0005)  # the cache's threads release the interpreter at once
    forbid_inspection()
    try:
        settings = GatewaySettings.read(options.settings)
        secrets = read_secrets() if options.secrets_from_input else _take_secrets(settings)
        environ = {**os.environ, **secrets}
        RequestRewrite(settings, environ)  # fails for a secret that is not set
        Network(environ, settings.ca, settings.verify, settings.own_servers)  # fails for certificates that are none
    except (OSError, ValueError, TypeError, LookupError) as error:
        log_error(error)
        return 2
    if settings.cache_shared:
        os.umask(0o007)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(settings, secrets, options))
    except OSError as error:
        log_error(error)
        return 1
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evalmake.gateway")
    parser.add_argument("settings", type=Path)
    parser.add_argument("--host", action="append", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="the preferred port; another one if it is in use")
    parser.add_argument("--port-file", type=Path, help="where to write the port once listening")
    parser.add_argument("--secrets-from-input", action="store_true", help="read secrets as JSON from standard input")
    return parser.parse_args()


def _take_secrets(settings: GatewaySettings) -> dict[str, str]:
    """The secrets in the environment, which is erased where they were."""
    names = {*settings.secret_headers.values(), settings.key_variable or ""} & os.environ.keys()
    erase_environment(names)
    return {name: os.environ.pop(name) for name in names}


async def _serve(settings: GatewaySettings, secrets: Mapping[str, str], options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stop = stop_on_signal(loop)
    gateway = Gateway(settings, {**os.environ, **secrets}, secrets)

    hosts = options.host or ["127.0.0.1"]
    listeners = [Listener(loop, sock, gateway.new_connection) for sock in _listen(hosts, options.port)]
    bound = listeners[0].sock.getsockname()[1]
    if options.port_file is not None:
        write_port_file(options.port_file, bound)
    print(f"listening on http://{hosts[0]}:{bound}", flush=True)
    writing = loop.create_task(_write_records_forever(gateway))
    await stop.wait()
    writing.cancel()
    for listener in listeners:
        listener.close()
    await gateway.close()


async def _write_records_forever(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(FLUSH_INTERVAL)
        gateway.write_records()


def _listen(hosts: list[str], port: int) -> list[socket.socket]:
    """Listen on each host, all on one port: `port` if it is free.

    Jobs know the preferred port, so a gateway that starts again takes it again where it can. Otherwise the kernel
    chooses a port for the first host; it may be in use on another one, so a few are tried.
    """
    if port:
        with suppress(OSError):
            return _listen_on_port(hosts, port)
    for _ in range(_TRIES):
        with suppress(OSError):
            return _listen_on_port(hosts, 0)
    return _listen_on_port(hosts, 0)


def _listen_on_port(hosts: list[str], port: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for host in hosts:
            opened.append(open_port(host, port, BACKLOG))
            port = opened[0].getsockname()[1]
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return opened


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main())  # the collector closes the connections that other threads have to the cache
