"""A cluster as one workspace sees it: its settings, its commands, and the folders of jobs there."""

from __future__ import annotations

import os
import socket
import sys
from hashlib import sha256
from pathlib import Path

from evalmake.executors.remote.job_folders import JobFolders
from evalmake.executors.remote.shell import Shell
from evalmake.executors.slurm.batch import PREFIX
from evalmake.executors.slurm.commands import SlurmCommands
from evalmake.executors.slurm.settings import Settings


class Cluster:
    """What all parts of the executor share. `root` has the folders of jobs on this host."""

    def __init__(self, settings: Settings, root: Path) -> None:
        workspace = sha256(f"{socket.gethostname()}\0{os.path.realpath(root)}".encode()).hexdigest()
        self.settings = settings
        self.root = root
        self.name_prefix = f"evalmake-{workspace[:12]}-"
        self.shell = Shell(settings.host)
        self.folders = JobFolders(root, self.shell, settings.work, workspace[:12])
        self.commands = SlurmCommands(self.shell)
        self.python = settings.python or (sys.executable if self.folders.is_shared else "python3")

    def batch_name(self, folder: str) -> str:
        """Return the name that the jobs of a batch have in Slurm, from the name of its folder."""
        return f"{self.name_prefix}{folder.removeprefix(PREFIX)}"
