"""A server's command where it runs: its weights there or in its container, its address and port."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities

_INSIDE = 8000  # in a network of its own, any port is free
_PORTS = range(61_000, 65_000)  # above those that kernels give to anybody


def placed(service: ServerCommand, contained: bool, capabilities: Capabilities) -> ServerCommand:
    """The service as an executor runs it: without a container, what it mounts is where it is."""
    host = "0.0.0.0" if capabilities.images else "127.0.0.1"
    there = {} if contained else {k: str(mount.source) for k, mount in service.mounts.items()}

    def said(word: str) -> str:
        return there.get(word, host if word == "{host}" else word)

    if service.port is None and capabilities.private_network and _asks(service):
        service = replace(service, port=_INSIDE)
    return replace(_each(service, said), model=said(service.model))


def ported(service: ServerCommand) -> ServerCommand:
    """The service with a port, where it must be told one: chosen anew for each start, and written down."""
    if not _asks(service):
        return service
    port = service.port or _free()
    chosen = _each(service, lambda word: str(port) if word == "{port}" else word)
    return replace(chosen, port=port, files={**service.files, service.port_file: str(port)})


def _asks(service: ServerCommand) -> bool:
    return "{port}" in (*service.argv, *service.env.values())


def _each(service: ServerCommand, said: Callable[[str], str]) -> ServerCommand:
    """The service with every word of its command and every value of its environment as `said` has it."""
    env = {key: said(value) for key, value in service.env.items()}
    return replace(service, argv=tuple(map(said, service.argv)), env=env)


def _free() -> int:
    """A port that nothing on this host listens on."""
    while True:
        port = random.choice(_PORTS)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("", port))
            return port
