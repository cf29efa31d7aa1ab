"""The provenance outputs of attempts: what was known when they ran, collected by `evalmake.provenance`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping

from evalmake.planner.plan import Plan
from evalmake.project.declarations import Declaration
from evalmake.provenance.attempt import ATTEMPT, Package, describe_attempt
from evalmake.provenance.build import BUILD, BuildProvenance, BuildRequest
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.run.task import Task
from evalmake.store.journal import Journal


class Provenance:
    """Of one build, and of each attempt of it. Attempts may be of jobs that an earlier build started."""

    def __init__(self, job_builder: JobBuilder, plan: Plan, request: BuildRequest, secrets: Secrets) -> None:
        self.build_id = f"{time.time_ns():x}-{os.getpid()}"
        self._job_builder = job_builder
        self._plan = plan
        self._secrets = secrets
        self._journal = Journal(job_builder.root / "journal")
        self._packages: dict[str, tuple[Package, ...]] = {}
        self._build = BuildProvenance(job_builder.project, plan, request, secrets.redact, self._keep)

    def _keep(self, text: bytes) -> None:
        self._journal.keep_provenance(self.build_id, text)

    def close(self) -> None:
        """End what still runs for it."""
        self._build.close()

    def outputs(self, task: Task, facts: Mapping[str, str], retry: int) -> dict[str, bytes]:
        """The outputs of an attempt by name; `facts` are those of executors about its job and its servers.

        `retry` is which retry of its build the attempt was, 0 for none.
        """
        earlier = b"" if task.started_by is None else self._journal.provenance(task.started_by)
        attempt = describe_attempt(
            task.node,
            self._job_builder.project.executors[task.executor],
            self._plan.decisions[task.node.name].reasons,
            self._find_packages(task),
            facts,
            retry,
            taken_over=task.started_by is not None and not earlier,
        )
        return {BUILD: earlier or self._build.text, ATTEMPT: self._secrets.redact(attempt)}

    def _find_packages(self, task: Task) -> Iterable[Package]:
        """The packages of the environments that its benchmark and its deployments name."""
        deployments = (self._job_builder.project.deployments[name] for name in task.node.services)
        for declaration in (task.node.evaluation.benchmark, *deployments):
            title = f"{declaration.kind} {declaration.name}"
            if title not in self._packages:
                self._packages[title] = self._list_packages(declaration, title)
            yield from self._packages[title]

    def _list_packages(self, declaration: Declaration, title: str) -> tuple[Package, ...]:
        environment = self._job_builder.environment_of(declaration)
        if environment is None:
            return ()
        hashes = environment.package_hashes()
        versions = environment.versions.items()
        return tuple(Package(name, version, *hashes.get(name, ("", "")), title) for name, version in versions)
