"""Workspaces on a cluster whose cells leave a line when they begin: what ran is counted."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Self

from tests.executors.slurm.clustered import Clustered
from tests.support.slurm_cluster import Cluster
from tests.support.ssh_login import HOST, Login
from tests.support.workspaces import SCRIPTED, end_processes

EVALFILE = """\
SLOTS = 8

executor cluster {{
    backend = slurm
    poll    = 1s
    slots   = SLOTS
    {more}
}}
model nobody {{
    endpoint = "{url}"
    name     = "nobody"
}}
eval tried {{
    model     = nobody
    benchmark = scripted
    executor  = cluster
    resources = {{ memory = {memory}MiB }}
    retries   = {retries}
    seed      in 1..{cells}
}}
"""
NOBODY = "http://127.0.0.1:9/v1"


class CountedCells(Clustered):
    """A workspace of cells that run a script, on a cluster, by a login node or without.

    Each script that begins leaves a line, its seed, in the file `ran`; `open` is a folder for files that
    scripts and the test both see.
    """

    def __init__(self, folder: Path, cluster: Cluster, login: Login | None = None) -> None:
        super().__init__(folder / "work", cluster, login)
        self.open = folder / "open"
        self.open.mkdir()
        self.open.chmod(0o777)
        self.ran.touch()
        self.ran.chmod(0o666)

    @property
    def ran(self) -> Path:
        """The file of seeds."""
        return self.open / "ran"

    def write_cells(
        self,
        count: int,
        script: str,
        *,
        more: str = "",
        retries: int = 0,
        url: str = NOBODY,
        memory: int = 200,
    ) -> None:
        """Write an Evalfile of so many cells that run a script; `more` says the executor."""
        if self.login:
            more = f'host = "{HOST}"\n    python = "{self.python}"\n    {more}'
        values = {"cells": count, "more": more, "retries": retries, "url": url, "memory": memory}
        self.evalfile(EVALFILE.format(**values), SCRIPTED)
        self.job(f'echo "$EVALMAKE_SEED" >> {self.ran}\n{dedent(script)}')

    def begun(self) -> Counter[int]:
        """How often each seed's script began."""
        return Counter(map(int, self.ran.read_text().split()))

    def array(self) -> str:
        """The array that its jobs are in."""
        known = self.cluster.jobs()
        [array] = {str(known[id]["array_job_id"] or id) for id in self.jobs()}
        return array

    def there(self) -> list[str]:
        """What lies in the folder of jobs on the login node, which is in its user's home."""
        return sorted(path.name for path in self.login.home.glob(".evalmake/jobs/*/*")) if self.login else []

    def forget(self) -> Self:
        """Begin anew: nothing is on record, and nothing ran."""
        shutil.rmtree(self.root / ".evalmake", ignore_errors=True)
        self.ran.write_text("")
        return self

    def assert_each_runs_once(self, scores: dict[str, list[float]]) -> None:
        """Assert that the next build ends with these scores, that each cell ran once, and that nothing is left."""
        ended = self.run()
        assert ended.status == 0, ended.text
        assert self.scores() == scores
        begun = self.begun()
        attempts = [(one.name, one.attempt, one.status, one.detail) for one in self.attempts()]
        assert begun == Counter(range(1, len(scores) + 1)), f"begun, by seed: {dict(begun)}; attempts: {attempts}"
        assert Counter(one.status for one in self.attempts()) == {"succeeded": len(scores)}
        self.clean()


@contextlib.contextmanager
def counted_cells(cluster: Cluster, login: Login | None = None) -> Iterator[CountedCells]:
    """An empty workspace that every user may enter; whatever a failed test leaves running is ended."""
    folder = Path(tempfile.mkdtemp(prefix="cells-", dir=cluster.folder))
    folder.chmod(0o755)
    made = CountedCells(folder, cluster, login)
    try:
        yield made
    finally:
        end_processes(made, folder)
        made.sweep()
