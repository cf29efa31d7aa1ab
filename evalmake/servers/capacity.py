"""Checks whether servers can start now: free GPUs, and the `slots` of executors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from evalmake.project.project import Project
from evalmake.run.gpu_allocation import GpuAllocation
from evalmake.servers.server import Server
from evalmake.servers.state import UP


class ServerCapacity:
    """Says whether servers can start now."""

    def __init__(self, project: Project, gpus: GpuAllocation, servers: Mapping[str, Server]) -> None:
        self._project = project
        self._gpus = gpus
        self._servers = servers

    def gpus_needed(self, servers: Iterable[Server], executor: str, gpus: int) -> Counter[str]:
        """The GPUs that must be free, by executor, for these servers to start and a job with `gpus` beside them."""
        needed = Counter({executor: gpus})
        for server in servers:
            if not self._gpus.is_held(server.spec.name):
                needed[server.spec.executor] += server.spec.gpus
        return needed

    def has_slots(self, servers: Collection[Server]) -> bool:
        """Whether these servers fit into the declared `slots`.

        Only servers count. A server that waited for an evaluation's slot could wait for ever, as that
        evaluation may be waiting for the server.
        """
        running = Counter(s.spec.executor for s in self._servers.values() if s.state in UP and s.spec.is_deployment)
        starting = Counter(s.spec.executor for s in servers if s.spec.is_deployment)
        slots = {name: self._project.executors[name].block.slots for name in starting}
        return all(not slots[name] or running[name] + count <= slots[name] for name, count in starting.items())
