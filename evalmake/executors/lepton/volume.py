"""The folders of jobs on a volume that this host has mounted, too. Its path is the same here and in containers."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from evalmake.executors.remote.folder_layout import INPUTS, REPLIES, SECONDS, STARTED
from evalmake.executors.remote.job_folders import JobFolders
from evalmake.executors.remote.shell import Shell
from evalmake.plugin_api.executor import Job


class Volume(JobFolders):
    """Folders that are copied to and from the volume, as to and from a login node."""

    def __init__(self, root: Path, here: str, key: str) -> None:
        super().__init__(root, Shell(None), here, key)
        self._remote_root = ""

    @property
    def is_shared(self) -> bool:
        """Return False: jobs do not see the workspace."""
        return False

    def send_jobs(self, jobs: Collection[tuple[Job, Mapping[str, str]]]) -> None:
        """Copy jobs to the volume, and let every user in: an image may run as anybody.

        The sticky bit of a folder lets others add files, but not change those of its owner. Nobody else can add
        files to the folders of gateways.
        """
        self.send(None, jobs)
        names = " ".join(shlex.quote(job.id) for job, _ in jobs)
        root = shlex.quote(self.remote_root)
        self.shell.run(
            f"cd {root} && chmod a+rx . {INPUTS} && chmod -R a+rX,go-w {names}"
            f" && find {names} -type d ! -name 'sidecar-*' -exec chmod 1777 {{}} +"
        )

    def list_jobs(self) -> list[str]:
        """Return the ids of the jobs that have folders there."""
        names = self.shell.run(f"ls {shlex.quote(self.remote_root)}").decode().split()
        return [name for name in names if name not in (INPUTS, REPLIES)]

    def machine_time(self, id: str) -> dict[str, str]:
        """Return for how many seconds a job had its machine: as it wrote down, or until now if it was cut off."""
        folder = Path(self.remote_root) / id
        try:
            return {"seconds": (folder / SECONDS).read_text().strip()}
        except OSError:
            pass
        try:
            return {"seconds": f"{max(0.0, time.time() - (folder / STARTED).stat().st_mtime):.0f}"}
        except OSError:
            return {}

    def merge_all_replies(self, ids: Collection[str]) -> None:
        """Give later jobs the replies that these jobs got."""
        self.merge_replies(ids, sys.executable)
