"""What a server is and how it starts: a deployment's replica, or the gateway of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities, Job
from evalmake.project.declarations import Declaration

GATEWAYS = "(gateways)"
"""The executor that runs gateways. The Evalfile does not declare it."""


def replicas(deployment: Declaration, capabilities: Capabilities) -> dict[str, str]:
    """The names of a deployment's servers, and their titles in messages."""
    name, count = deployment.name, deployment.block.replicas
    if count == 1 or capabilities.replicas:
        return {name: f"deployment {name}"}
    return {f"{name}#{n}": f"replica {n} of deployment {name}" for n in range(1, count + 1)}


@dataclass(frozen=True, slots=True, eq=False)
class ServerSpec:
    """What a server is, how it starts, and what messages call it."""

    name: str  # unique among replicas, too
    group: str  # the deployment or gateway that all replicas share
    title: str  # in messages: "deployment qwen"
    kind: str  # the journal's word: serve | gateway
    action: str  # the digest of what it is; a running server with the same digest is taken over
    executor: str
    command: ServerCommand
    ready: float  # seconds that it may take to be ready
    declaration: Declaration
    build_job: Callable[[str], Job]
    """Its job, by the job's id."""
    gpus: int = 0
    key_name: str = ""
    """The name of the secret that its clients must send, if it asks for one."""

    @property
    def is_deployment(self) -> bool:
        """Whether the Evalfile declares it: then people hear of it, and `slots` count it."""
        return self.kind == "serve"
