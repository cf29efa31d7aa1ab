"""Routing: whether a job's requests go through the gateways of this host or through its own sidecars."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalmake.planner.graph import Node
from evalmake.planner.placement import sees_host_files, shares_allocations
from evalmake.plugin_api.executor import Executor, Job, SupportsFileUpdates
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.gateways.sidecars import SidecarGateways
from evalmake.run.job_builder import JobBuilder
from evalmake.run.task import Task
from evalmake.servers.addresses import ServerAddress, ServerAddresses
from evalmake.servers.spec import ServerSpec


class GatewayRouting:
    """Gives each job the gateways that its executor needs."""

    def __init__(self, job_builder: JobBuilder, gateways: HostGateways, executors: Mapping[str, Executor]) -> None:
        self.cell_count = 1
        self._job_builder = job_builder
        self._executors = executors
        self._host_gateways = gateways
        self._sidecars = SidecarGateways(gateways, job_builder)
        self._colocated_jobs = Counter[str]()  # by deployment: how many jobs its servers were given

    def host_gateways_for(self, node: Node) -> tuple[ServerSpec, ...]:
        """The gateways of this host that an evaluation needs; none where its job brings sidecars."""
        return () if self._has_sidecars(node) else self._host_gateways.specs_for(node)

    def slots(self, executor: str) -> int:
        """How many jobs an executor is given at a time: all of them where it has a queue of its own."""
        if self._executors[executor].capabilities.own_queue:
            return sys.maxsize
        return self._job_builder.slots(executor)

    def build_job(self, task: Task, addresses: ServerAddresses) -> Job:
        """The job of a task, admitted to its models if it asks any; OSError where a session cannot be written."""
        if self._has_sidecars(task.node):
            return self._build_job_with_sidecars(task, addresses)
        routes = {}
        if self._host_gateways.models_of(task.node):
            host = self._executors[task.executor].host_address()
            routes = self._host_gateways.open_sessions(task.node, task.job_id, addresses, host)
        task.tokens = tuple(route.token for route in routes.values())
        return self._job_builder.build_evaluation_job(task.node, task.job_id, routes)

    def _build_job_with_sidecars(self, task: Task, addresses: ServerAddresses) -> Job:
        node, executor = task.node, self._executors[task.executor]
        routes = self._sidecars.create_routes(node)
        task.tokens = tuple(route.token for route in routes.values())
        job = self._job_builder.build_evaluation_job(node, task.job_id, routes)
        declaration = self._job_builder.project.executors[task.executor]
        shares_files = sees_host_files(declaration) and not executor.capabilities.remote
        hosts = self._colocation_hosts(node, addresses)
        slots = declaration.block.slots or self._colocation_slots(node, hosts)
        job = replace(job, limits=self._sidecars.concurrency_limits(node, self.cell_count, slots))
        job = self._sidecars.attach(job, node, addresses, routes, shares_files, self.cell_count)
        jobs_at_once = min(job.limits.values(), default=self.cell_count)
        return self._colocate(job, node, hosts[:jobs_at_once]) if hosts else job

    # Colocation: jobs inside the allocation of their model's server ------------------------------

    def _colocation_hosts(self, node: Node, addresses: ServerAddresses) -> Sequence[ServerAddress]:
        """The servers whose allocation an evaluation's job may share; none where it gets one of its own."""
        name, project = node.evaluation.model.block.deployment, self._job_builder.project
        if not name or project.deployments[name].block.executor != node.executor:
            return ()
        return addresses[name] if shares_allocations(project.executors[node.executor]) else ()

    def _colocation_slots(self, node: Node, hosts: Sequence[ServerAddress]) -> int | None:
        """How many jobs these servers' allocations hold at once: one for each CPU; None where CPUs are not declared."""
        name = node.evaluation.model.block.deployment
        cpus = self._job_builder.project.deployments[name].block.resources.cpus if hosts else None
        return math.ceil(cpus) * len(hosts) if cpus else None

    def _colocate(self, job: Job, node: Node, hosts: Sequence[ServerAddress]) -> Job:
        """The job inside the allocation of one of these servers, which take turns and divide its limits."""
        name = node.evaluation.model.block.deployment
        self._colocated_jobs[name] += 1
        host = hosts[self._colocated_jobs[name] % len(hosts)]
        limits = {limited: limit // len(hosts) for limited, limit in job.limits.items()}
        return replace(job, colocated_with=host.job_id, limits=limits)

    # Running jobs -------------------------------------------------------------------------------

    def update_addresses(self, task: Task, addresses: ServerAddresses) -> None:
        """Tell the gateways of a running job where its models are now."""
        if self._has_sidecars(task.node):
            files = self._sidecars.update_addresses(task.node, task.job_id, addresses)
            executor = self._executors[task.executor]
            if isinstance(executor, SupportsFileUpdates):
                executor.update_files(task.job_id, files)
        else:
            self._host_gateways.update_addresses(task.node, task.job_id, addresses)

    def close_sessions(self, task: Task) -> bool:
        """End a job's sessions; False where a gateway of this host died before it wrote the usage."""
        if self._has_sidecars(task.node):
            task.cache_error = self._sidecars.collect_replies(task.job_id)
            return True
        return self._host_gateways.close_sessions(task.node, task.job_id, task.server_jobs)

    def can_recover(self, node: Node, job_id: str, server_jobs: Mapping[str, str]) -> bool:
        """Whether a job of an earlier build may use the same replies as one of this build."""
        if self._has_sidecars(node):
            return self._sidecars.can_recover(node, job_id)
        return self._host_gateways.can_recover(node, server_jobs)

    def session_tokens(self, node: Node, job_id: str, server_jobs: Mapping[str, str]) -> tuple[str, ...]:
        """The tokens of a job that an earlier build submitted."""
        if self._has_sidecars(node):
            return self._sidecars.session_tokens(node, job_id)
        return self._host_gateways.session_tokens(node, server_jobs)

    def _has_sidecars(self, node: Node) -> bool:
        asks = bool(self._host_gateways.models_of(node))
        return asks and self._executors[node.executor].capabilities.sidecar
