"""All servers of a build: each starts when the first evaluation needs it, and stops after the last.

A deployment has one server or several replicas. It is ready as soon as one replica answers, so that no
evaluation waits for the slowest; the others join in. It has failed when all replicas have. Replicas
after the first start only where there is room for them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack

from evalmake.language.diagnostic import Diagnostic
from evalmake.plugin_api.executor import Executor
from evalmake.run.events import Emit
from evalmake.run.gpu_allocation import GpuAllocation
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.run.time_budget import TimeBudget
from evalmake.servers.addresses import ServerAddresses
from evalmake.servers.capacity import ServerCapacity
from evalmake.servers.failure import failure_diagnostic
from evalmake.servers.lifecycle import MAX_STARTS, ServerLifecycle
from evalmake.servers.notices import ServerNotices
from evalmake.servers.server import Server
from evalmake.servers.spec import ServerSpec
from evalmake.servers.state import STARTABLE, UP, State
from evalmake.store.journal import Journal, JournalEntry


class ServerPool:
    """The servers of a build by name, and the replicas of each deployment."""

    def __init__(
        self,
        job_builder: JobBuilder,
        executors: Mapping[str, Executor],
        journal: Journal,
        secrets: Secrets,
        emit: Emit,
    ) -> None:
        self.executors = executors
        self.gpus = GpuAllocation(executors)
        self.servers: dict[str, Server] = {}
        self.groups: dict[str, list[Server]] = {}
        self._project = job_builder.project
        self._capacity = ServerCapacity(job_builder.project, self.gpus, self.servers)
        notices = ServerNotices(job_builder, executors, secrets, emit)
        self._lifecycle = ServerLifecycle(job_builder, executors, journal, secrets, self.gpus, notices, self.servers)

    def add_user(self, spec: ServerSpec, user: str) -> None:
        """Note that `user` will need a server."""
        if spec.name not in self.servers:
            self.servers[spec.name] = Server(spec, TimeBudget.of(self._project.executors.get(spec.executor)))
            self.groups.setdefault(spec.group, []).append(self.servers[spec.name])
        self.servers[spec.name].users.add(user)

    def recover(self, entry: JournalEntry) -> bool:
        """Take over a server that an interrupted build left running; False where this build does not want it."""
        server = self.servers.get(entry.name)
        return server is not None and self._lifecycle.recover(server, entry)

    def lend(self, name: str) -> None:
        """Do not stop a recovered server: jobs that this build leaves alone use it."""
        self.servers[name].lent = True
        self.gpus.lend(name)

    # Queries ------------------------------------------------------------------------------------

    def addresses(self, names: tuple[str, ...]) -> ServerAddresses | None:
        """The addresses of the ready servers of these; None unless each has one."""
        found = {name: [s.address for s in self.groups[name] if s.state is State.READY] for name in names}
        return found if all(found.values()) else None

    def failed_server(self, names: tuple[str, ...]) -> Server | None:
        """A server of the first of these that has failed; None where none has."""
        groups = (self.groups[name] for name in names)
        return next((group[0] for group in groups if all(s.state is State.FAILED for s in group)), None)

    def is_pending(self) -> bool:
        """Whether a server starts, or waits until it may start again."""
        now = time.monotonic()
        return any(
            server.state is State.STARTING
            or (server.state is State.RESTARTING and server.users and server.not_before > now)
            for server in self.servers.values()
        )

    def job_ids(self, names: tuple[str, ...]) -> dict[str, str]:
        """The jobs of all servers of these, by server; an empty id for a name without a job."""
        found: dict[str, str] = {}
        for name in names:
            up = [server for server in self.groups[name] if server.state in UP]
            found |= {server.spec.name: server.job_id for server in up} or {name: ""}
        return found

    def are_alive(self, job_ids: Mapping[str, str]) -> bool:
        """Whether each server still has the job that `job_ids` names, and the job is not over."""
        return all(id and self.servers[name].job_id == id and not self._is_over(name) for name, id in job_ids.items())

    def _is_over(self, name: str) -> bool:
        server = self.servers[name]
        return self.executors[server.spec.executor].poll(server.job_id).is_over

    def facts(self, names: tuple[str, ...]) -> dict[str, str]:
        """What an evaluation's record says about the servers that it used."""
        return {
            f"deployment {name} {key}": value
            for name in names
            for server in self.groups[name]
            for key, value in server.facts.items()
        }

    def failure_diagnostic(self, name: str) -> Diagnostic:
        """The error for a server that failed."""
        return failure_diagnostic(self.servers[name], MAX_STARTS)

    # Actions ------------------------------------------------------------------------------------

    def update(self) -> None:
        """Look after all servers: probe those that start, watch those that are ready, restart the lost."""
        for server in self.servers.values():
            if server.state is State.STARTING:
                self._lifecycle.check_starting(server)
            elif server.state is State.READY:
                self._lifecycle.check_ready(server)
            elif server.state is State.RESTARTING and server.users:
                self._lifecycle.start(server)

    def start_missing(self, names: tuple[str, ...], executor: str, gpus: int, crowd: bool = False) -> None:
        """Start what of these has no server, all at once, where GPUs and `slots` allow it.

        They are for a job that takes `gpus` of `executor` itself. With `crowd`, start them beyond the
        slots, and stop servers that others will need again; but only while no server is on its way.
        """
        missing = [server for name in names if (server := self._first_startable(name)) is not None]
        needed = self._capacity.gpus_needed(missing, executor, gpus)
        crowd = crowd and not self.is_pending()
        if crowd:
            self._make_room(names, needed)
        if not self.gpus.are_free(needed):
            return
        if self._capacity.has_slots(missing) or crowd:
            for server in missing:
                self._lifecycle.start(server)
            self._start_replicas(names, executor, gpus)

    def _first_startable(self, name: str) -> Server | None:
        """The server to start for a name that has none; None where it has one."""
        group = self.groups[name]
        if any(server.state in UP for server in group):
            return None
        return next((server for server in group if server.state in STARTABLE), None)

    def _start_replicas(self, names: tuple[str, ...], executor: str, gpus: int) -> None:
        """Start further replicas of what has one, where the job's own `gpus` stay free."""
        for server in (server for name in names for server in self.groups[name][1:]):
            needed = self._capacity.gpus_needed([server], executor, gpus)
            if server.state in STARTABLE and self._capacity.has_slots([server]) and self.gpus.are_free(needed):
                self._lifecycle.start(server)

    def _make_room(self, names: tuple[str, ...], needed: Mapping[str, int]) -> None:
        """Stop servers until so many GPUs are free, but keep one of each that is needed now."""
        spared = {id(next((s for s in self.groups[name] if s.state in UP), None)) for name in names}
        for server in self.servers.values():
            if self.gpus.are_free(needed):
                return
            if id(server) not in spared and server.spec.gpus and needed[server.spec.executor]:
                self._lifecycle.stop(server)
        if not self.gpus.are_free(needed):
            self.gpus.share_lent()

    def release(self, name: str, user: str) -> None:
        """Note that `user` is done; the last user's leaving stops the servers."""
        for server in self.groups[name]:
            server.users.discard(user)
            if not server.users:
                self._lifecycle.stop(server)

    def stop_all(self) -> None:
        """Stop every server, also where stopping one of them meets a defect."""
        with ExitStack() as stops:
            for server in self.servers.values():
                stops.callback(self._lifecycle.stop, server)
