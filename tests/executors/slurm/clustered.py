"""A workspace whose jobs run on a cluster: its own login node, or one that is reached by ssh."""

from __future__ import annotations

from pathlib import Path

from tests.executors.slurm.node_python import node_python
from tests.support.daemons import until
from tests.support.slurm_cluster import LIVE, Cluster
from tests.support.ssh_login import HOST, Login
from tests.support.workspaces import Bench

EXECUTOR = """\
executor cluster {{
    backend = slurm
    poll    = 1s
    {more}
}}
"""
ASKED = """\
model {name} {{
    endpoint = "{url}/v1"
    name     = "mock"
}}
"""
ROOM = "resources = { memory = 400MiB }"
"""What every job asks for: a cluster gives little unless it is told."""


class Clustered(Bench):
    """Its jobs go out by `login`, a login node; without one they go out from here."""

    def __init__(self, root: Path, cluster: Cluster, login: Login | None = None) -> None:
        super().__init__(root)
        root.mkdir()
        self.cluster, self.login = cluster, login
        self.python = node_python(cluster.folder / "python") if login else None
        self.env |= cluster.env
        if login:
            self.env["PATH"] = f"{login.bin}:{self.env['PATH']}"
        self.submitted_before = len(cluster.wrappers.calls("sbatch"))

    def executor(self, more: str = "") -> str:
        """The text of `executor cluster`, with more settings."""
        if self.login is not None:
            more += f'\n    host = "{HOST}"\n    work = "{self.login.work}"\n'
            more += f'    python = "{self.python}"'
        return EXECUTOR.format(more=more)

    def sbatches(self) -> int:
        """How often sbatch was called since this workspace was made."""
        return len(self.cluster.wrappers.calls("sbatch")) - self.submitted_before

    def jobs(self, *states: str) -> list[str]:
        """The ids of the workspace's jobs in some states: unless said, those that have not ended."""
        wanted, prefix = states or LIVE, self.prefix()
        known = self.cluster.jobs().items()
        return [id for id, job in known if job["job_state"] in wanted and job["name"].startswith(prefix)]

    def prefix(self) -> str:
        """What the names of the workspace's jobs begin with."""
        from evalmake.executors.slurm import SlurmExecutor

        made = SlurmExecutor("cluster", SlurmExecutor.Settings(), self.root / ".evalmake" / "work")
        return made.cluster.name_prefix

    def work(self) -> Path:
        """The folder of the workspace's jobs, as nodes see it."""
        if self.login is None:
            return self.root / ".evalmake" / "work"
        return self.login.work / self.prefix().removeprefix("evalmake-").strip("-")

    def there(self) -> list[str]:
        """What lies in the folder of jobs behind ssh."""
        return sorted(path.name for path in self.work().glob("*")) if self.login else []

    def clean(self) -> None:
        """Assert that nothing runs or lies about, here, there or in the queue."""
        until(lambda: not self.jobs(), self.jobs)
        super().clean()
        assert set(self.there()) <= {"inputs", "replies"}

    def sweep(self) -> None:
        """End what a failed test left on the cluster."""
        if left := self.jobs():
            self.cluster.scancel(*left)
            until(lambda: not self.jobs(), self.jobs)


def model(url: str, name: str = "subject") -> str:
    """A model that a server at a root URL stands for."""
    return ASKED.format(name=name, url=url)
