"""What a build has running beside its evaluations: deployments, and the gateway of each model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities, Job
from evalmake.project.declarations import Declaration

GATEWAYS = "(gateways)"
"""The executor that runs gateways: it is not one of the Evalfile's."""


def replicas(deployment: Declaration, capabilities: Capabilities) -> dict[str, str]:
    """The names of a deployment's servers, and what they are called in messages."""
    name, count = deployment.name, deployment.block.replicas
    if count == 1 or capabilities.replicas:
        return {name: f"deployment {name}"}
    return {f"{name}#{n}": f"replica {n} of deployment {name}" for n in range(1, count + 1)}


@dataclass(frozen=True, slots=True, eq=False)
class ServerSpec:
    """A server, whatever it serves: what it is, how it is started, and by what it is told."""

    name: str  # its own among replicas
    group: str  # that of all replicas, by which it is asked for
    title: str  # in messages: "deployment qwen"
    kind: str  # the journal's word: serve | gateway
    action: str  # the digest of what it is: a running one is taken over if it is the same
    executor: str
    service: ServerCommand
    ready: float  # seconds
    declared: Declaration
    job: Callable[[str], Job]
    """Its job by the job's id."""
    gpus: int = 0
    key: str = ""
    """The name of the secret that it asks of those who use it."""

    @property
    def is_deployment(self) -> bool:
        """Whether an Evalfile declares it, so that people are told of it and `slots` count it."""
        return self.kind == "serve"
