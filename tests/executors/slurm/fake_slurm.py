"""A Slurm that is a dictionary: for what a test asks of the executor, and a real cluster does not do at will."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from evalmake.executors.slurm import SlurmExecutor
from evalmake.executors.slurm.commands import SubmitLimitReached
from evalmake.executors.slurm.job_states import SlurmJob
from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Job


class FakeSlurm:
    """The commands of a cluster that takes at most `room` jobs; while it is `away` it does not answer."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.jobs: dict[str, tuple[str, str]] = {}  # id -> name and state
        self.sizes: list[int] = []  # of what was taken
        self.tries = 0
        self.failure: Exception | None = None
        self.deny: Exception | None = None

    def submit(self, folder: str) -> str:
        """Take a batch, or not."""
        self._answer()
        self.tries += 1
        text = (Path(folder) / "batch.sh").read_text()
        count = len((Path(folder) / "jobs").read_text().split())
        if len(self.pending()) + count > self.room:
            raise SubmitLimitReached("QOSMaxSubmitJobPerUserLimit")
        self.sizes.append(count)
        name = next(line for line in text.splitlines() if "--job-name" in line)
        name = name.partition("--job-name")[2].strip("= '\"")
        base = str(100 + len(self.sizes))
        ids = [f"{base}_{at}" for at in range(count)] if count > 1 else [base]
        self.jobs |= dict.fromkeys(ids, (name, "PENDING"))
        return base

    def pending(self) -> list[str]:
        """What is not over."""
        return [id for id, (_, state) in self.jobs.items() if state == "PENDING"]

    def list_jobs(self, names: Collection[str]) -> dict[str, SlurmJob]:
        """All jobs of these names."""
        self._answer()
        return {id: SlurmJob(id, state) for id, (name, state) in self.jobs.items() if name in names}

    def list_batches(self, prefix: str) -> dict[str, list[str]]:
        """The names that are there."""
        self._answer()
        return {self.jobs[id][0]: [id.split("_")[0]] for id in self.pending()}

    def cancel(self, ids: Iterable[str]) -> None:
        """End some."""
        self._answer()
        if self.deny:
            raise self.deny
        for id in ids:
            if id in self.jobs:
                self.jobs[id] = self.jobs[id][0], "CANCELLED"

    def cancel_batches(self, names: Collection[str]) -> None:
        """End all of a name."""
        self.cancel([id for id, (name, _) in self.jobs.items() if name in names])

    def query_accounting(self, ids: Collection[str]) -> dict[str, SlurmJob]:
        """There is no accounting."""
        return {}

    def list_unhealthy_nodes(self, partitions: Collection[str]) -> dict[str, str]:
        """No node is in trouble."""
        return {}

    def set_array_limit(self, array: str, at_once: int) -> None:
        """It makes no difference."""

    def _answer(self) -> None:
        if self.failure:
            raise self.failure


def on_fake(root: Path, slurm: FakeSlurm) -> SlurmExecutor:
    """An executor whose cluster is that."""
    executor = SlurmExecutor("cluster", SlurmExecutor.Settings(poll=Duration(1)), root)
    executor.cluster.commands = slurm  # type: ignore[assignment]
    return executor


def submitted(executor: SlurmExecutor, count: int, **more: object) -> list[str]:
    """Hand jobs over."""
    ids = [f"job.{at}" for at in range(count)]
    for id in ids:
        job = Job(id, id, ("true",), executor.root / id, **more)  # type: ignore[arg-type]
        executor.submit(job, {})
    return ids
