"""One loop: start what is ready while there are slots, wait until something ends, put it into the store.

The loop sleeps on descriptors that executors offer and on a pipe that signals write to, so that no end
waits for a timer. Each job is in the journal before it is submitted, and leaves it after its result is
in the store. A kill between any two lines therefore loses nothing and runs nothing twice.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from contextlib import ExitStack
from dataclasses import replace

from evalmake.planner.graph import Node
from evalmake.planner.placement import attempt_timeout
from evalmake.plugin_api.executor import Executor
from evalmake.run.build_result import BuildResult
from evalmake.run.events import Emit
from evalmake.run.executor_health import ExecutorHealth
from evalmake.run.gateways.host_gateways import HostGateways
from evalmake.run.gateways.routing import GatewayRouting
from evalmake.run.job_builder import JobBuilder
from evalmake.run.job_recovery import recover_jobs
from evalmake.run.provenance import Provenance
from evalmake.run.scheduler.build import Build
from evalmake.run.scheduler.cancellation import carry_out_requests
from evalmake.run.scheduler.interrupt import exit_at_once, interrupt_build
from evalmake.run.scheduler.job_end import JobEnds
from evalmake.run.scheduler.queue import Queue
from evalmake.run.scheduler.watch import JobWatch
from evalmake.run.secrets import Secrets
from evalmake.run.signals import Signals
from evalmake.run.task import Task
from evalmake.run.time_budget import TimeBudget
from evalmake.servers.pool import ServerPool
from evalmake.store.journal import Journal
from evalmake.store.store import Store


class Scheduler:
    """Runs nodes of a plan to their end."""

    def __init__(
        self,
        job_builder: JobBuilder,
        executors: Mapping[str, Executor],
        store: Store,
        emit: Emit,
        secrets: Secrets,
        max_jobs: int | None,
        keep_going: bool,
        server_actions: Mapping[str, str],
        gateways: HostGateways,
        unselected: Container[str] = (),
        detach: bool = False,
        provenance: Provenance | None = None,
    ) -> None:
        """`server_actions`: by deployment, the digest of its action; `unselected`: evaluations to leave alone.

        With `detach`, submitted jobs go on without evalmake. Without `provenance`, attempts have no such outputs.
        """
        journal = Journal(job_builder.root / "journal")
        self.build = Build(
            job_builder,
            executors,
            store,
            journal,
            secrets,
            ServerPool(job_builder, executors, journal, secrets, emit),
            GatewayRouting(job_builder, gateways, executors),
            ExecutorHealth(emit),
            Signals(self._exit_at_once),
            emit,
            max_jobs,
            keep_going,
            unselected,
            provenance=provenance,
            server_actions=server_actions,
        )
        self._detach = detach
        self._queue = Queue(self.build)
        self._job_ends = JobEnds(self.build)
        self._watch = JobWatch(self.build, self._queue, self._job_ends)

    def run(self, nodes: list[Node]) -> BuildResult:
        """Run `nodes`. First take over the jobs that an interrupted build left behind."""
        build = self.build
        self._add_tasks(nodes)
        with build.signals, ExitStack() as ends:
            ends.callback(self._end_provenance)
            for executor in build.executors.values():
                ends.callback(executor.close)
            ends.callback(build.servers.stop_all)
            try:
                recover_jobs(build)
                self._loop()
            except BaseException:
                self._job_ends.cancel(build.running.values())  # the next build finds them in the journal
                raise
        return build.result

    def _add_tasks(self, nodes: list[Node]) -> None:
        """Queue a task for each node, and note which servers it needs."""
        build = self.build
        build.routing.cell_count = len(nodes)
        build.waiting = [self._make_task(node) for node in nodes]
        for task in build.waiting:
            build.engage_servers(task)

    def _make_task(self, node: Node) -> Task:
        executor = self.build.job_builder.project.executors[node.executor]
        timeout = attempt_timeout(node.evaluation.variant, executor)
        node = self._place_stored_samples(node)
        gateways = self.build.routing.host_gateways_for(node)
        return Task(node, node.executor, timeout, TimeBudget.of(executor), gateways)

    def _place_stored_samples(self, node: Node) -> Node:
        """The node, which asks its model where the samples are damaged that it would score again."""
        build = self.build
        if node.replies is None or build.job_builder.place_stored_samples(
            node.replies.samples, build.store.blobs.write_to
        ):
            return node
        return replace(node, replies=None)

    def _loop(self) -> None:
        build = self.build
        while build.waiting or build.running:
            self._queue.start_ready_tasks()
            self._watch.wait()
            self._watch.check_jobs()
            carry_out_requests(build, self._job_ends)
            if build.signals.count and not build.result.interrupted:
                interrupt_build(build, self._job_ends)
            elif self._detach and not build.waiting and not self._watch.holds_jobs:
                build.result.detached += [task.node.name for task in build.running.values()]
                break

    def _end_provenance(self) -> None:
        if self.build.provenance is not None:
            self.build.provenance.close()
        self.build.journal.forget_builds()

    def _exit_at_once(self) -> None:
        exit_at_once(self.build)
