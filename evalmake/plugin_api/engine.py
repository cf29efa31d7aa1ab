"""An engine says how a deployment is served; entry-point group `evalmake.engines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from pydantic import BaseModel

from evalmake.plugin_api.executor import Mount
from evalmake.project.declarations import Declaration


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """How a deployment is served: the server writes its port to `port_file` once it listens.

    One that must be told its port says `{port}` in `argv` or `env`, and `{host}` for the address to
    listen on. `mounts` are what a container has of this host; words of `argv` and values of `env` that
    are the path of one stand, where there is no container, for what lies there on this host. `model` is
    the name by which the server knows its model, where it takes none that is given to it. `multi_node_launcher` are
    words of the shell that it is given where it is run on several nodes at once, each of which is told how many
    these are, which it is, and the address of the first, 0: $EVALMAKE_NODES, $EVALMAKE_NODE, $EVALMAKE_HEAD.
    None of them: it cannot be.
    """

    argv: tuple[str, ...]
    port_file: str = "port"
    port: int | None = None  # a fixed one, where the server cannot choose
    health: str = "/health"
    base: str = "/v1"
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    model: str = ""
    multi_node_launcher: str | None = None


class Engine(Protocol):
    """Says how a deployment is served; `Args`, where there is one, checks its `args`.

    Sidecar these an engine may have a function `check_deployment(deployment: Declared, found:
    Diagnostics)`, which adds to `found` what would only fail when it is served. One that runs a program
    of someone else's names it as `program: ClassVar[Program]`: where there is neither an image nor, in
    its `Settings`, `packages` that have it, it must be installed, and evalmake says so where it is not.
    """

    Settings: ClassVar[type[BaseModel]]
    Args: ClassVar[type[BaseModel] | None]
    behaviour: ClassVar[int]
    needs: ClassVar[str]

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The server's command, readiness probe and API path."""
