"""The state of a build that all parts of the scheduler share."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from evalmake.language.diagnostic import Diagnostic
from evalmake.plugin_api.executor import Executor
from evalmake.run.build_result import BuildResult
from evalmake.run.events import Emit
from evalmake.run.executor_health import ExecutorHealth
from evalmake.run.gateways.routing import GatewayRouting
from evalmake.run.job_builder import JobBuilder
from evalmake.run.provenance import Provenance
from evalmake.run.secrets import Secrets
from evalmake.run.signals import Signals
from evalmake.run.task import Task
from evalmake.servers.pool import ServerPool
from evalmake.servers.spec import ServerSpec
from evalmake.store.journal import Journal
from evalmake.store.store import Store


@dataclass(slots=True, eq=False)
class Build:
    """The tasks of a build and what they need. A task is in `waiting`, in `running`, or done."""

    job_builder: JobBuilder
    executors: Mapping[str, Executor]
    store: Store
    journal: Journal
    secrets: Secrets
    servers: ServerPool
    routing: GatewayRouting
    health: ExecutorHealth
    signals: Signals
    emit: Emit
    max_jobs: int | None
    keep_going: bool
    unselected: Container[str] = ()  # evaluations of the Evalfile that this build leaves alone
    provenance: Provenance | None = None
    server_actions: Mapping[str, str] = field(default_factory=dict)  # by deployment: the digest of its action
    waiting: list[Task] = field(default_factory=list)
    running: dict[str, Task] = field(default_factory=dict)  # by job id
    result: BuildResult = field(default_factory=BuildResult)
    _server_specs: dict[str, tuple[ServerSpec, ...]] = field(default_factory=dict)  # by deployment

    @property
    def stops_early(self) -> bool:
        """Whether nothing more starts because something has failed."""
        return bool(self.result.failed) and not self.keep_going

    @property
    def id(self) -> str:
        """The id of the build in the journal; empty for one of which nothing is known."""
        return self.provenance.build_id if self.provenance else ""

    def engage_servers(self, task: Task) -> None:
        """Note which servers a task needs."""
        for name in task.node.services:
            if name not in self._server_specs:
                self._server_specs[name] = self.job_builder.server_specs(name, self.server_actions[name])
        servers = [spec for name in task.node.services for spec in self._server_specs[name]]
        for spec in (*servers, *task.gateways):
            self.servers.add_user(spec, task.node.name)

    def ask_after_all(self, task: Task) -> None:
        """Put a task into the queue again that asks its model, as its stored replies are not all that it takes.

        The servers that it needs are those of its judges, which it has, and others.
        """
        self.discard_job(task)
        node = replace(task.node, replies=None)
        task.node, task.gateways = node, self.routing.host_gateways_for(node)
        self.engage_servers(task)
        self.waiting.insert(0, task)

    def release_servers(self, task: Task) -> None:
        """Note that a task no longer needs its servers."""
        for name in task.server_names:
            self.servers.release(name, task.node.name)

    def discard_job(self, task: Task) -> None:
        """Remove the folder and the journal entry of a job that never ran."""
        self.routing.close_sessions(task)
        self.remove_job_folder(task)
        self.journal.remove(task.job_id)

    def remove_job_folder(self, task: Task) -> None:
        """Remove a job's folder and free its GPUs."""
        self.job_builder.remove_job_folder(task.job_id)
        self.servers.gpus.free(task.job_id)

    def fail_without_attempt(self, task: Task, *problems: Diagnostic) -> None:
        """Note that a task failed before its job ran."""
        self.discard_job(task)
        self.result.failed.append(task.node.name)
        self.result.problems.extend(problems)
        self.release_servers(task)

    def drop_waiting(self) -> None:
        """Drop all waiting tasks."""
        for task in self.waiting:
            self.release_servers(task)
        self.waiting.clear()
