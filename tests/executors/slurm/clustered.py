"""A workspace whose jobs run on a cluster: its own login node, or one that is reached by ssh."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import evalmake
from evalmake.run.environments.environment import Environment
from tests.support import inside
from tests.support.daemons import until
from tests.support.debian import HOME
from tests.support.environments import build_for
from tests.support.slurm_cluster import LIVE, Cluster
from tests.support.ssh_login import HOST, Login
from tests.support.workspaces import Bench

PYTHON = "/usr/bin/python3"
NEEDED = ("aiohttp", "diskcache", "httptools", "pydantic", "uvloop", "xxhash")
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
    """`far` is the login node by which its jobs go out; without it they go out from here."""

    def __init__(self, root: Path, cluster: Cluster, far: Login | None = None, python: Path | None = None) -> None:
        super().__init__(root)
        root.mkdir()
        self.cluster, self.far, self.python = cluster, far, python
        self.env |= cluster.env
        if far is not None:
            self.env["PATH"] = f"{far.bin}:{self.env['PATH']}"
        self.submitted_before = len(cluster.wrappers.calls("sbatch"))

    def executor(self, more: str = "") -> str:
        """The text of `executor cluster`, with more settings."""
        if self.far is not None:
            more += f'\n    host = "{HOST}"\n    work = "{self.far.work}"\n'
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
        if self.far is None:
            return self.root / ".evalmake" / "work"
        return self.far.work / self.prefix().removeprefix("evalmake-").strip("-")

    def there(self) -> list[str]:
        """What lies in the folder of jobs behind ssh."""
        return sorted(path.name for path in self.work().glob("*")) if self.far else []

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


def far_python(folder: Path) -> Path:
    """A Python in a new folder that every user may run, with the very evalmake that is tested."""
    folder.mkdir()
    source = Path(evalmake.__file__).parent
    shutil.copytree(source, folder / "src" / "evalmake", ignore=shutil.ignore_patterns("__pycache__"))
    made = folder / "python"
    packages = inside.install("nodes", node_version(), NEEDED)
    made.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={folder}/src:{packages} PYTHONDONTWRITEBYTECODE=1\nexec {PYTHON} "$@"\n'
    )
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    made.chmod(0o755)
    return made


def node_packages(environment: Environment) -> Path:
    """An environment's packages for the nodes' Python, installed anew where that is another version than this one."""
    version = node_version()
    installed = f"lib/python{version}/site-packages"
    if (environment.folder / installed).exists():
        return environment.folder / installed
    return build_for(PYTHON, environment.packages, HOME / f"nodes-{version}" / environment.name) / installed


def node_version() -> str:
    """The version of the nodes' Python, which is this system's: `3.11`."""
    argv = [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
