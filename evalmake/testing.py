"""For tests: an executor that behaves like a remote one, without a remote machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.executors.job_inputs import with_parent
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.project.key_types import Block


class FakeExecutor:
    """Runs jobs in folders of its own, copies outputs only on `fetch`, and offers no descriptors.

    Every instance over the same `root` in this process knows its jobs, as with a cluster. `forget`
    loses a job, as a cluster may.
    """

    class Settings(Block):
        """No settings."""

    capabilities: ClassVar[Capabilities] = Capabilities()
    _jobs: ClassVar[dict[tuple[Path, str], subprocess.Popen[bytes]]] = {}

    def __init__(self, name: str, settings: Any, root: Path) -> None:
        self.root = root

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job` in a folder that is not its `workdir`."""
        remote = self._remote_folder(job.id)
        (remote / "out").mkdir(parents=True)
        for name, text in job.files.items():
            with_parent(remote / name).write_text(text, encoding="utf-8")
        for name, source in job.inputs.items():
            shutil.copyfile(source, with_parent(remote / name))
        env = {key: value.replace(str(job.workdir), str(remote)) for key, value in job.env.items()}
        argv = [sys.executable if word == "{python}" else word for word in job.argv]
        with (remote / "log").open("wb") as log:
            self._jobs[self.root, job.id] = subprocess.Popen(
                argv,
                cwd=remote,
                env={"PATH": os.environ["PATH"], **env, **secrets},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def poll(self, id: str) -> JobState:
        """The state of a job's process, or unknown."""
        child = self._jobs.get((self.root, id))
        if child is None:
            return JobState(Phase.UNKNOWN)
        code = child.poll()
        if code is None:
            return JobState(Phase.RUNNING)
        status = 128 - code if code < 0 else code
        return JobState(Phase.ENDED, status, f"exit status {status}" if status else "")

    def cancel(self, id: str) -> None:
        """Kill a job's process group."""
        child = self._jobs.get((self.root, id))
        if child is not None and child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def fetch(self, id: str, into: Path) -> None:
        """Copy a job's log and outputs."""
        if self._remote_folder(id).is_dir():
            shutil.copytree(self._remote_folder(id), into, dirs_exist_ok=True)

    def host_address(self) -> str:
        """The loopback address: its jobs do run on this host."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """The URL of a server on this host."""
        return f"http://127.0.0.1:{port}"

    def url_from_jobs(self, id: str, port: int) -> str:
        """The same URL: jobs run on this host, too."""
        return self.url_from_host(id, port)

    def gpus(self) -> tuple[str, ...] | None:
        """None: it does not count GPUs."""
        return None

    def waitables(self) -> list[int]:
        """No descriptors: it must be polled."""
        return []

    def sweep(self) -> list[tuple[str, str]]:
        """End and forget all jobs of this root."""
        found = sorted(id for root, id in self._jobs if root == self.root)
        for id in found:
            self.forget(id)
        return [(id, f"job {id}") for id in found]

    def close(self) -> None:
        """Do nothing: it holds nothing open."""

    def forget(self, id: str) -> None:
        """End a job and lose all knowledge of it."""
        self.cancel(id)
        del self._jobs[self.root, id]

    def _remote_folder(self, id: str) -> Path:
        return self.root / "far away" / id
