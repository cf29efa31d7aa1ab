"""How a job asks its models: by the gateways of this host, or by those that ride with it."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor, Job, SupportsFileUpdates
from evalmake.preflight.graph_checks import sees_our_files, shares_allocations
from evalmake.run.gateways.host_gateways import At, HostGateways, Place
from evalmake.run.gateways.sidecars import SidecarGateways
from evalmake.run.job_builder import JobBuilder
from evalmake.run.task import Task
from evalmake.servers.spec import ServerSpec


class GatewayRouting:
    """For each task, whichever its executor asks for."""

    def __init__(self, job_builder: JobBuilder, gateways: HostGateways, executors: Mapping[str, Executor]) -> None:
        self.job_builder = job_builder
        self.executors = executors
        self.cells = 1
        self._here = gateways
        self._riding = SidecarGateways(gateways, job_builder)
        self._guests = Counter[str]()  # how many jobs each deployment's servers were given

    def servers(self, node: Node) -> tuple[ServerSpec, ...]:
        """The gateways of this host that an evaluation needs."""
        return () if self._rides(node) else self._here.of(node)

    def slots(self, executor: str) -> int:
        """How many jobs an executor is given at a time: all, where it has a queue of its own."""
        if self.executors[executor].capabilities.own_queue:
            return sys.maxsize
        return self.job_builder.slots(executor)

    def job(self, task: Task, at: At) -> Job:
        """The job of a task, let in to its models; OSError where that cannot be written."""
        node, executor = task.node, self.executors[task.executor]
        if not self._rides(node):
            routes = self._here.open(node, task.id, at, executor.host_address())
            task.tokens = tuple(route.token for route in routes.values())
            return self.job_builder.build_evaluation_job(node, task.id, routes)
        routes = self._riding.routes(node)
        task.tokens = tuple(route.token for route in routes.values())
        job = self.job_builder.build_evaluation_job(node, task.id, routes)
        declared = self.job_builder.project.executors[task.executor]
        near = sees_our_files(declared) and not executor.capabilities.remote
        hosts = self._hosts(node, at)
        slots = declared.block.slots or self._room(node, hosts)
        job = replace(job, limits=self._riding.limits(node, self.cells, slots))
        job = self._riding.accompany(job, node, at, routes, near, self.cells)
        at_once = min(job.limits.values(), default=self.cells)
        return self._within(job, node, hosts[:at_once]) if hosts else job

    def _hosts(self, node: Node, at: At) -> Sequence[Place]:
        """The servers of an evaluation's model, where it is to run within one's allocation."""
        name, project = node.evaluation.model.block.deployment, self.job_builder.project
        if not name or project.deployments[name].block.executor != node.executor:
            return ()
        return at[name] if shares_allocations(project.executors[node.executor]) else ()

    def _room(self, node: Node, hosts: Sequence[Place]) -> int | None:
        """How many jobs run within these at once, as far as it is said: one for each of their processors."""
        name = node.evaluation.model.block.deployment
        cpus = self.job_builder.project.deployments[name].block.resources.cpus if hosts else None
        return math.ceil(cpus) * len(hosts) if cpus else None

    def _within(self, job: Job, node: Node, hosts: Sequence[Place]) -> Job:
        """The job within one of these, which take turns and share its limits."""
        name = node.evaluation.model.block.deployment
        self._guests[name] += 1
        host = hosts[self._guests[name] % len(hosts)]
        limits = {limited: limit // len(hosts) for limited, limit in job.limits.items()}
        return replace(job, colocated_with=host.id, limits=limits)

    def move(self, task: Task, at: At) -> None:
        """Tell a running job where its models are served now."""
        if self._rides(task.node):
            files = self._riding.move(task.node, task.id, at)
            executor = self.executors[task.executor]
            if isinstance(executor, SupportsFileUpdates):
                executor.update_files(task.id, files)
        else:
            self._here.move(task.node, task.id, at)

    def close(self, task: Task) -> bool:
        """A job is over; False where a gateway of this host did not live to tell all."""
        if self._rides(task.node):
            task.cache_trouble = self._riding.close(task.id)
            return True
        return self._here.close(task.node, task.id, task.servers)

    def may_take(self, node: Node, id: str, servers: Mapping[str, str]) -> bool:
        """Whether a job of an earlier build asks as this one would."""
        if self._rides(node):
            return self._riding.may_take(node, id)
        return self._here.may_take(node, servers)

    def tokens(self, node: Node, id: str, servers: Mapping[str, str]) -> tuple[str, ...]:
        """The tokens of a job that an earlier build began."""
        if self._rides(node):
            return self._riding.tokens(node, id)
        return self._here.tokens(node, servers)

    def _rides(self, node: Node) -> bool:
        return self.executors[node.executor].capabilities.sidecar
