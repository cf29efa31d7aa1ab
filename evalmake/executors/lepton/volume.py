"""The folders of jobs on a volume that this host has, too: by one path here and in containers."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from evalmake.executors.lepton.job_script import TOOK
from evalmake.executors.slurm.containers import INPUTS
from evalmake.executors.slurm.job_folders import REPLIES, Folders
from evalmake.executors.slurm.job_script import STARTED
from evalmake.executors.slurm.login_shell import Shell
from evalmake.plugin_api.executor import Job


class Volume(Folders):
    """Copied to and from like those of a login node."""

    def __init__(self, root: Path, here: str, key: str) -> None:
        super().__init__(root, Shell(None), here, key)
        self._there = ""

    @property
    def near(self) -> bool:
        """Jobs do not see the workspace."""
        return False

    def send_all(self, jobs: Collection[tuple[Job, Mapping[str, str]]]) -> None:
        """Copy jobs there, open to whatever user their images have: others add files, and change none.

        A folder's sticky bit keeps what is in it with its owner, and nothing is added to those of gateways.
        """
        self.send(None, jobs)
        names = " ".join(shlex.quote(job.id) for job, _ in jobs)
        there = shlex.quote(self.there)
        self.shell.run(
            f"cd {there} && chmod a+rx . {INPUTS} && chmod -R a+rX,go-w {names}"
            f" && find {names} -type d ! -name 'sidecar-*' -exec chmod 1777 {{}} +"
        )

    def ids(self) -> list[str]:
        """The jobs that have folders there."""
        names = self.shell.run(f"ls {shlex.quote(self.there)}").decode().split()
        return [name for name in names if name not in (INPUTS, REPLIES)]

    def took(self, id: str) -> dict[str, str]:
        """For how many seconds a job had its machine: as it says, or, where it was cut off, until now."""
        folder = Path(self.there) / id
        try:
            return {"seconds": (folder / TOOK).read_text().strip()}
        except OSError:
            pass
        try:
            return {"seconds": f"{max(0.0, time.time() - (folder / STARTED).stat().st_mtime):.0f}"}
        except OSError:
            return {}

    def gather_all(self, ids: Collection[str]) -> None:
        """Let later jobs begin with what these were answered."""
        self.gather(ids, sys.executable)
