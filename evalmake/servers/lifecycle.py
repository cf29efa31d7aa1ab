"""The life of a server: start, readiness, loss and restart, stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.file_tree import remove_tree
from evalmake.language.values import Duration
from evalmake.planner.placement import has_own_nodes, sees_host_files
from evalmake.plugin_api.executor import Executor, Phase
from evalmake.project.declarations import Declaration
from evalmake.run.gpu_allocation import GpuAllocation
from evalmake.run.job_builder import JobBuilder
from evalmake.run.log_tail import last_lines, read_tail
from evalmake.run.secrets import Secrets
from evalmake.run.server_log import copy_log, free_middle
from evalmake.servers.failure import describe_end, describe_seconds
from evalmake.servers.notices import ServerNotices
from evalmake.servers.readiness import ReadinessProbe, is_port_open
from evalmake.servers.server import Server
from evalmake.servers.state import UP, State, change_state
from evalmake.store.journal import Journal, JournalEntry

MAX_STARTS = 3
_MAX_BLAMELESS_LOSSES = 5  # losses in a row that cost no start
_MAX_UNREACHABLE_STARTS = 60  # a second apart: a minute
_UNREACHABLE_PAUSE = 1.0
_RESTART_PAUSE = 0.5  # seconds before the first restart; it doubles, as what was wrong may pass
_HERE = "this host"
_MAX_PROBE_PAUSE = 1.0  # seconds between two health probes


class ServerLifecycle:
    """Starts, watches and stops the servers of a build. `servers` are all of them."""

    def __init__(
        self,
        job_builder: JobBuilder,
        executors: Mapping[str, Executor],
        journal: Journal,
        secrets: Secrets,
        gpus: GpuAllocation,
        notices: ServerNotices,
        servers: Mapping[str, Server],
    ) -> None:
        self._job_builder = job_builder
        self._executors = executors
        self._journal = journal
        self._secrets = secrets
        self._gpus = gpus
        self._notices = notices
        self._servers = servers
        self._readiness = ReadinessProbe(job_builder, executors, secrets)

    # Start --------------------------------------------------------------------------------------

    def start(self, server: Server) -> None:
        """Submit a server's job, unless its pause before a restart still runs."""
        if time.monotonic() < server.not_before:
            return
        change_state(server, State.STARTING)
        server.lent, server.end = False, None
        server.starts += 1
        server.job_id = f"{server.spec.action[-12:]}.s{time.time_ns():x}"
        server.submitted_at, server.starting_since = time.time(), time.monotonic()
        if server.budget.spent:
            self._lose(server, server.budget.spent)
            return
        holder = self._find_port_holder(server)
        server.port_taken = bool(holder)
        if holder:
            self._lose(server, f"could not be started: {holder} listens on port {server.spec.command.port}")
            return
        try:
            self._submit(server)
        except (OSError, EvalmakeError) as error:
            if isinstance(error, ConnectionError) and self._postpone(server):
                return
            self._lose(server, f"could not be started: {error}")
            return
        self._notices.announce_state(server, server.failure, server.log_tail if server.failure else ())

    def _submit(self, server: Server) -> None:
        """Put the job into the journal, then submit it: so a kill in between leaves no unknown job."""
        spec, id = server.spec, server.job_id
        gpus = self._gpus.take(spec.name, spec.executor, spec.gpus)
        job = replace(spec.build_job(id), gpu_ids=gpus, time_left=server.budget.left)
        folder = str(self._job_builder.job_folder(id))
        self._journal.write(
            JournalEntry(id, spec.name, spec.kind, spec.action, spec.executor, folder, server.submitted_at, gpus)
        )
        self._executor(server).submit(job, self._secrets.resolve(job.secrets))

    def _postpone(self, server: Server) -> bool:
        """Try a restart again in a while, where its executor is unreachable; False where that is given up.

        A first start is not postponed: the executor may be misconfigured, which must show at once.
        """
        server.unreachable_starts += 1
        if not server.failure or server.unreachable_starts > _MAX_UNREACHABLE_STARTS:
            return False
        self._clean_up(server)
        server.starts -= 1
        server.not_before = time.monotonic() + _UNREACHABLE_PAUSE
        change_state(server, State.RESTARTING)
        return True

    def _find_port_holder(self, server: Server) -> str:
        """What listens on the fixed port of a server that is to start; empty where the port is free."""
        port, place = server.spec.command.port, self._find_shared_place(server)
        if not port or not place:
            return ""
        for other in self._servers.values():
            is_up = other is not server and other.state in UP and other.spec.command.port == port
            if is_up and self._find_shared_place(other) == place:
                return other.spec.title
        return "something else" if place == _HERE and is_port_open(port) else ""

    def _find_shared_place(self, server: Server) -> str:
        """Where others might listen on a server's port: on this host, or on another cluster; empty if nowhere."""
        executor = self._declaration(server)
        if self._executor(server).capabilities.private_network or (executor and has_own_nodes(executor)):
            return ""
        return _HERE if executor is None or sees_host_files(executor) else executor.name

    def recover(self, server: Server, entry: JournalEntry) -> bool:
        """Take over the job of an interrupted build; False where this server is another or has a job."""
        if server.state is not State.WANTED:
            return False
        if (server.spec.action, server.spec.executor) != (entry.action, entry.executor):
            return False
        change_state(server, State.STARTING)
        server.job_id, server.starting_since = entry.id, time.monotonic()
        server.starts, server.submitted_at = 1, entry.started
        self._gpus.claim(entry.name, entry.executor, entry.gpus)
        return True

    # Watch --------------------------------------------------------------------------------------

    def check_starting(self, server: Server) -> None:
        """Check a starting server: it may be ready, lost or too slow. Its log must not fill the disk."""
        free_middle(self._find_log(server), self._largest_log)
        job = self._executor(server).poll(server.job_id)
        if job.phase is Phase.QUEUED:
            server.queued_until = time.time()
        if job.phase in (Phase.QUEUED, Phase.UNREACHABLE):
            server.starting_since = time.monotonic()  # the time to get ready has not begun
        elapsed = time.monotonic() - server.starting_since
        if job.phase is Phase.REFUSED:
            self._lose(server, f"could not be started: {job.detail}")
            return
        if job.is_over:
            server.end = job
            after = describe_seconds(elapsed)
            self._lose(server, f"stopped before it was ready, after {after}: {describe_end(job)}")
            return
        # A fast server is probed often; one that loads for minutes only once a second, for its log's sake.
        if time.monotonic() - server.last_probe < min(_MAX_PROBE_PAUSE, elapsed / 50):
            return
        server.last_probe = time.monotonic()
        trouble = job.detail
        if job.phase is Phase.RUNNING:
            found = self._readiness.probe(server)
            server.address, trouble = found.address or server.address, found.trouble
            if not trouble:
                self._become_ready(server, job.facts)
                return
        if elapsed > server.spec.ready:
            self._cancel(server)
            limit = f"was not ready within {Duration(server.spec.ready)}"
            self._lose(server, f"{limit}: {trouble}" if trouble else limit)
        else:
            self._notices.announce_pending(server, job)

    def _become_ready(self, server: Server, facts: Mapping[str, str]) -> None:
        change_state(server, State.READY)
        server.facts = facts
        server.unreachable_starts = server.blameless_losses = 0
        self._notices.announce_state(server, server.address.url)

    def check_ready(self, server: Server) -> None:
        """Check that the job of a ready server still runs, and that its log does not fill the disk."""
        free_middle(self._find_log(server), self._largest_log)
        job = self._executor(server).poll(server.job_id)
        if job.is_over:
            server.end = job
            self._lose(server, f"died while it was used: {describe_end(job)}")

    # Loss ---------------------------------------------------------------------------------------

    def _lose(self, server: Server, failure: str) -> None:
        """Plan a restart of a server that is gone, or give it up once its starts are used up.

        A loss without an exit status is not the server's fault: its node failed, or its job was
        preempted. Such a loss costs no start. Nor does the end of one that answered until its time was
        over, as long as its jobs have time left in all.
        """
        server.failure = failure
        end, was_ready = server.end, server.state is State.READY
        self._count_time(server)
        if end is not None:
            server.failure = server.budget.spent or failure
            server.starts -= server.budget.resumes(end) and was_ready
        if end is not None and end.status is None:
            server.blameless_losses += 1
            server.starts -= server.blameless_losses <= _MAX_BLAMELESS_LOSSES
        self._clean_up(server)
        server.not_before = time.monotonic() + _RESTART_PAUSE * 2 ** max(0, server.starts - 1)
        if server.starts < MAX_STARTS and not server.budget.spent:
            change_state(server, State.RESTARTING)
            return
        change_state(server, State.FAILED)
        self._gpus.free(server.spec.name)
        self._notices.announce_state(server, server.failure)

    def _count_time(self, server: Server) -> None:
        """Count how long a server's last job ran, not how long it queued."""
        server.budget.count(time.monotonic() - server.starting_since, server.end)

    # Stop ---------------------------------------------------------------------------------------

    def stop(self, server: Server) -> None:
        """End a server's job and free its GPUs, unless jobs of an earlier build use it."""
        if server.lent:
            return
        if server.state in UP:
            self._cancel(server)
            self._count_time(server)
            self._clean_up(server)
            change_state(server, State.STOPPED)
            server.failure, server.starts = "", 0
            self._notices.announce_state(server, "left running" if self._is_kept(server) else "")
        self._gpus.free(server.spec.name)

    def _is_kept(self, server: Server) -> bool:
        """Whether the executor keeps servers for later builds (its setting `keep`)."""
        declaration = self._declaration(server)
        return declaration is not None and bool(getattr(declaration.settings, "keep", False))

    def _cancel(self, server: Server) -> None:
        with contextlib.suppress(OSError):
            self._executor(server).cancel(server.job_id)

    def _clean_up(self, server: Server) -> None:
        """Keep the log below `.evalmake/logs`, secrets redacted; remove the job's folder and journal entry.

        A job that is unreachable stays in the journal. The next build finds it there and ends it.
        """
        folder, reached = self._job_builder.job_folder(server.job_id), True
        try:
            self._executor(server).fetch(server.job_id, folder)
        except OSError:
            reached = False
        server.log_tail = self._keep_log(server)
        if reached:
            remove_tree(folder)
            self._journal.remove(server.job_id)

    def _keep_log(self, server: Server) -> tuple[str, ...]:
        """Copy a server's log to where `evalmake logs` finds it; its last lines."""
        target = self._job_builder.root / "logs" / f"{server.spec.name}.log"
        lines: tuple[str, ...] = ()
        with contextlib.suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_log(self._find_log(server), target, self._largest_log, self._secrets)
            lines = last_lines(read_tail(target))
        return lines

    def _find_log(self, server: Server) -> Path:
        return self._job_builder.job_folder(server.job_id) / "log"

    @property
    def _largest_log(self) -> int:
        return self._job_builder.project.settings.log.bytes

    def _executor(self, server: Server) -> Executor:
        return self._executors[server.spec.executor]

    def _declaration(self, server: Server) -> Declaration | None:
        """The block of a server's executor; None for that of gateways, which no Evalfile declares."""
        return self._job_builder.project.executors.get(server.spec.executor)
