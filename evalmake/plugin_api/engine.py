"""How to write an engine: it gives the command of a model server.

An engine is a class with the attributes and the method of `Engine`, named in the entry-point group
`evalmake.engines`. The protocols after it, and `HasProgram` of `harness.py`, are optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.executor import Mount
from evalmake.plugin_api.harness import HasProgram as HasProgram
from evalmake.plugin_api.harness import Program as Program
from evalmake.project.declarations import Declaration


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """The command of a model server, and how to reach it.

    A server that takes a port has `{port}` in `argv` or `env`, and `{host}` for the address to listen on. Any other
    server chooses a port and writes its number to `port_file` as soon as it listens.
    """

    argv: tuple[str, ...]
    port_file: str = "port"
    port: int | None = None
    """A fixed port, where the server cannot choose one."""
    health: str = "/health"
    """The path that answers 200 when the server is ready."""
    base: str = "/v1"
    """The path of its OpenAI-compatible API."""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Small texts to write into the job's folder: name -> text."""
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    """Files and folders of this host, by their path in a container. Without a container, evalmake replaces that path
    in `argv` and `env` by the one on this host."""
    model: str = ""
    """The model's name in requests, where the server does not take the name that it gets."""
    multi_node_launcher: str | None = None
    """Shell words that start the server on several nodes, appended to `argv`. Each node knows $EVALMAKE_NODES, its own
    number $EVALMAKE_NODE and the address of node 0, $EVALMAKE_HEAD. None: the server runs on one node."""


class Engine(Protocol):
    """Serves a deployment."""

    Settings: ClassVar[type[BaseModel]]
    """The keys that a deployment has beyond those of every deployment; describe each with `define_key`."""
    Args: ClassVar[type[BaseModel] | None]
    """The arguments that evalmake checks; None accepts any."""
    behaviour: ClassVar[int]
    """Raise it when replies could change, and only then: it is part of every evaluation's identity."""
    needs: ClassVar[str]
    """Why the engine cannot run in this installation; empty if it can."""

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The server's command."""


@runtime_checkable
class ChecksDeployment(Protocol):
    """An engine that finds mistakes in a deployment before the server starts."""

    def check_deployment(self, deployment: Declaration, diagnostics: Diagnostics, /) -> None:
        """Add to `diagnostics` what would fail at run time."""
