"""Gateways in a process that does something else, too: they serve on ports that it has opened."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalmake.gateway.proxy.gateway import BACKLOG, FLUSH, Gateway, new_loop
from evalmake.gateway.reply_cache.read_only import DATABASE
from evalmake.gateway.settings import Settings


def serve(
    settings: Iterable[str],
    sessions: Sequence[str],
    ports: Sequence[socket.socket],
    environs: Iterable[Mapping[str, str]],
    bell: socket.socket,
) -> str:
    """Serve one session each until the `bell` rings; the reason where an evaluation is to end before."""
    sys.setswitchinterval(0.0005)  # the cache's threads hand over at once
    told = [_settings(Path(path)) for path in settings]
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_serve(list(zip(told, environs, strict=True)), sessions, ports, bell))


async def _serve(
    told: Iterable[tuple[Settings, Mapping[str, str]]],
    sessions: Sequence[str],
    ports: Sequence[socket.socket],
    bell: socket.socket,
) -> str:
    loop = asyncio.get_running_loop()
    gateways = [Gateway(settings, environ) for settings, environ in told]
    servers = [
        await loop.create_server(gateway.connection, sock=port, backlog=BACKLOG)
        for gateway, port in zip(gateways, ports, strict=True)
    ]
    reason = await _until(bell, gateways)
    for server in servers:
        server.close()
    for gateway, session in zip(gateways, sessions, strict=True):
        if opened := gateway.sessions.open.get(session):
            gateway.end(session, opened)
        await gateway.close()
    return reason


async def _until(bell: socket.socket, gateways: Sequence[Gateway]) -> str:
    """Keep records until the bell rings, or until an evaluation is to end: for that reason."""
    bell.setblocking(False)
    loop = asyncio.get_running_loop()
    rung = loop.create_task(loop.sock_recv(bell, 1))
    while True:
        done, _ = await asyncio.wait([rung], timeout=FLUSH)
        for gateway in gateways:
            gateway.keep()
        reason = next((why for gateway in gateways if (why := gateway.fatal())), "")
        if done or reason:
            rung.cancel()
            return "" if done else reason


def _settings(path: Path) -> Settings:
    """Replies to begin with are a kindness: the first job has none."""
    told = Settings.read(path)
    return replace(told, seeds=[seed for seed in told.seeds if (Path(seed) / DATABASE).exists()])
