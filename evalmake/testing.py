"""For tests of plugins and of what calls them: an executor that behaves like one far away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.project.key_types import Block


class FakeExecutor:
    """Runs jobs in folders of its own, brings outputs only on `fetch`, and offers no descriptors.

    Its jobs are known to every instance over the same `root` in this process, as those of a cluster
    are. `forget` loses one, as a cluster may.
    """

    class Settings(Block):
        """No settings."""

    capabilities: ClassVar[Capabilities] = Capabilities()
    _jobs: ClassVar[dict[tuple[Path, str], subprocess.Popen[bytes]]] = {}

    def __init__(self, name: str, settings: Any, root: Path) -> None:
        self.root = root

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job` far from its `workdir`."""
        there = self._there(job.id)
        (there / "out").mkdir(parents=True)
        for name, text in job.files.items():
            self._place(there / name).write_text(text, encoding="utf-8")
        for name, source in job.inputs.items():
            shutil.copyfile(source, self._place(there / name))
        env = {key: value.replace(str(job.workdir), str(there)) for key, value in job.env.items()}
        argv = [sys.executable if word == "{python}" else word for word in job.argv]
        with (there / "log").open("wb") as log:
            self._jobs[self.root, job.id] = subprocess.Popen(
                argv,
                cwd=there,
                env={"PATH": os.environ["PATH"], **env, **secrets},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def poll(self, id: str) -> JobState:
        """The state of a process, or unknown."""
        child = self._jobs.get((self.root, id))
        if child is None:
            return JobState(Phase.UNKNOWN)
        code = child.poll()
        if code is None:
            return JobState(Phase.RUNNING)
        status = 128 - code if code < 0 else code
        return JobState(Phase.ENDED, status, f"exit status {status}" if status else "")

    def cancel(self, id: str) -> None:
        """Kill the process and its group."""
        child = self._jobs.get((self.root, id))
        if child is not None and child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def fetch(self, id: str, into: Path) -> None:
        """Copy log and outputs."""
        if self._there(id).is_dir():
            shutil.copytree(self._there(id), into, dirs_exist_ok=True)

    def host_address(self) -> str:
        """Its jobs are on this host after all."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """So are its servers."""
        return f"http://127.0.0.1:{port}"

    def url_from_jobs(self, id: str, port: int) -> str:
        """Jobs reach a server as this host does."""
        return self.url_from_host(id, port)

    def gpus(self) -> tuple[str, ...] | None:
        """They are not counted."""
        return None

    def waitables(self) -> list[int]:
        """None: it must be polled."""
        return []

    def sweep(self) -> list[tuple[str, str]]:
        """End and forget every job of this root."""
        found = sorted(id for root, id in self._jobs if root == self.root)
        for id in found:
            self.forget(id)
        return [(id, f"job {id}") for id in found]

    def close(self) -> None:
        """Nothing is held."""

    def forget(self, id: str) -> None:
        """End a job and all knowledge of it."""
        self.cancel(id)
        del self._jobs[self.root, id]

    def _there(self, id: str) -> Path:
        return self.root / "far away" / id

    @staticmethod
    def _place(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
