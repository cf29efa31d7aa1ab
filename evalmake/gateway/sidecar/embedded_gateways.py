"""Gateways inside another process: they serve on ports that it has opened."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalmake.gateway.proxy.gateway import FLUSH_INTERVAL, Gateway
from evalmake.gateway.reply_cache.read_only import DATABASE
from evalmake.gateway.settings import GatewaySettings
from evalmake.gateway.sidecar.settings import SidecarGateway
from evalmake.http_protocol.serving import Listener, new_event_loop


def serve_gateways(
    gateways: Sequence[SidecarGateway],
    ports: Sequence[socket.socket],
    environs: Iterable[Mapping[str, str]],
    closed: socket.socket,
) -> str:
    """Serve one session each until the other end of `closed` closes.

    Returns early where an evaluation must stop, with the reason.
    """
    sys.setswitchinterval(0.0005)  # the cache's threads release the interpreter at once
    settings = [_read_settings(Path(gateway.settings)) for gateway in gateways]
    sessions = [gateway.session for gateway in gateways]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_serve(list(zip(settings, environs, strict=True)), sessions, ports, closed))


async def _serve(
    settings: Iterable[tuple[GatewaySettings, Mapping[str, str]]],
    sessions: Sequence[str],
    ports: Sequence[socket.socket],
    closed: socket.socket,
) -> str:
    loop = asyncio.get_running_loop()
    gateways = [Gateway(one, environ) for one, environ in settings]
    listeners = [Listener(loop, port, gateway.new_connection) for gateway, port in zip(gateways, ports, strict=True)]
    reason = await _wait_until_closed(closed, gateways)
    for listener in listeners:
        listener.close()
    for gateway, key in zip(gateways, sessions, strict=True):
        if session := gateway.sessions.admitted.get(key):
            gateway.end_session(key, session)
        await gateway.close()
    return reason


async def _wait_until_closed(closed: socket.socket, gateways: Sequence[Gateway]) -> str:
    """Write records until `closed` wakes us, or until an evaluation must stop; returns that reason."""
    closed.setblocking(False)
    loop = asyncio.get_running_loop()
    wakeup = loop.create_task(loop.sock_recv(closed, 1))
    while True:
        done, _ = await asyncio.wait([wakeup], timeout=FLUSH_INTERVAL)
        for gateway in gateways:
            gateway.write_records()
        reason = next((reason for gateway in gateways if (reason := gateway.stop_reason())), "")
        if done or reason:
            wakeup.cancel()
            return "" if done else reason


def _read_settings(path: Path) -> GatewaySettings:
    """Read a gateway's settings, less the caches that do not exist: the first job has none to read."""
    settings = GatewaySettings.read(path)
    found = [folder for folder in settings.read_only_caches if (Path(folder) / DATABASE).exists()]
    return replace(settings, read_only_caches=found)
