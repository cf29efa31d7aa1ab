"""A server's command on its executor: paths of weights, the address to listen on, the port."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities

_ISOLATED_PORT = 8000  # a job with a network of its own may use any port
_PORTS = range(61_000, 65_000)  # above the ports that kernels give to outgoing connections


def place_command(command: ServerCommand, in_container: bool, capabilities: Capabilities) -> ServerCommand:
    """The command with the host and paths of an executor. Without a container, mounts are paths of this host."""
    host = "0.0.0.0" if capabilities.images else "127.0.0.1"
    paths = {} if in_container else {k: str(mount.source) for k, mount in command.mounts.items()}

    def replace_word(word: str) -> str:
        return paths.get(word, host if word == "{host}" else word)

    if command.port is None and capabilities.private_network and _needs_port(command):
        command = replace(command, port=_ISOLATED_PORT)
    return replace(_map_words(command, replace_word), model=replace_word(command.model))


def assign_port(command: ServerCommand) -> ServerCommand:
    """The command with a port, if it must be given one: a new one for each start, written to its port file."""
    if not _needs_port(command):
        return command
    port = command.port or _find_free_port()
    with_port = _map_words(command, lambda word: str(port) if word == "{port}" else word)
    return replace(with_port, port=port, files={**command.files, command.port_file: str(port)})


def _needs_port(command: ServerCommand) -> bool:
    return "{port}" in (*command.argv, *command.env.values())


def _map_words(command: ServerCommand, change: Callable[[str], str]) -> ServerCommand:
    """The command with `change` applied to each word of its argv and each value of its environment."""
    env = {key: change(value) for key, value in command.env.items()}
    return replace(command, argv=tuple(map(change, command.argv)), env=env)


def _find_free_port() -> int:
    """A port of this host on which nothing listens."""
    while True:
        port = random.choice(_PORTS)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("", port))
            return port
