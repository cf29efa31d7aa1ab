"""A cluster as one workspace sees it: its settings, its commands, the folders of jobs there."""

from __future__ import annotations

import os
import socket
import sys
from hashlib import sha256
from pathlib import Path

from evalmake.executors.slurm.batch import PREFIX
from evalmake.executors.slurm.commands import Commands
from evalmake.executors.slurm.job_folders import Folders
from evalmake.executors.slurm.login_shell import Shell
from evalmake.executors.slurm.settings import Settings


class Cluster:
    """`root` has the folders of jobs on this host; names of the workspace's jobs begin with `prefix`."""

    def __init__(self, settings: Settings, root: Path) -> None:
        place = sha256(f"{socket.gethostname()}\0{os.path.realpath(root)}".encode()).hexdigest()
        self.settings = settings
        self.root = root
        self.prefix = f"evalmake-{place[:12]}-"
        self.shell = Shell(settings.host)
        self.folders = Folders(root, self.shell, settings.work, place[:12])
        self.commands = Commands(self.shell)
        self.python = settings.python or (sys.executable if self.folders.near else "python3")

    def name(self, folder: str) -> str:
        """The name that the jobs of a batch have in Slurm, by its folder's."""
        return f"{self.prefix}{folder.removeprefix(PREFIX)}"
