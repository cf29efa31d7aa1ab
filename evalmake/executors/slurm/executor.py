"""Runs jobs on a Slurm cluster.

One thread (`SlurmWatch`) does everything that takes a while. It submits jobs with as few calls of sbatch as
there are kinds of jobs, and asks squeue for all of them at once, ever more rarely while nothing changes. The
scheduler is answered from what the thread saw last.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from evalmake.executors import end_record
from evalmake.executors.remote.folder_layout import QUEUE
from evalmake.executors.remote.watch_loop import require_answer
from evalmake.executors.slurm import settings
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.containers import INHERITING
from evalmake.executors.slurm.job_script import directives, job_script
from evalmake.executors.slurm.port_forwards import PortForwards
from evalmake.executors.slurm.prepared_batch import PreparedJob
from evalmake.executors.slurm.watch_loop import SlurmWatch
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.file_tree import remove_tree
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.project.declarations import Declaration


class SlurmExecutor:
    """Runs jobs on the nodes of a cluster."""

    Settings: ClassVar[type[settings.Settings]] = settings.Settings
    capabilities: ClassVar[Capabilities] = Capabilities(images=True, own_queue=True, sidecar=True)

    def __init__(self, name: str, settings: settings.Settings, root: Path) -> None:
        self.settings = settings
        self.root = root
        self.cluster = Cluster(settings, root)
        self.watch = SlurmWatch(self.cluster)
        self._addresses: dict[str, str] = {}  # of nodes
        self._forwards = PortForwards(self.cluster.shell)
        self._unended: set[str] = set()  # jobs without an end record here

    @staticmethod
    def check_use(executor: Declaration, serves: bool, diagnostics: Diagnostics) -> None:
        """Report a `total_time` without `time`, and folders that containers cannot be given.

        Their runtimes separate paths by commas and colons.
        """
        found = executor.settings
        assert isinstance(found, settings.Settings)
        if found.total_time and not found.time:
            diagnostics.error(
                "missing-key",
                f"executor `{executor.name}` has `total_time`, but no `time` after which a job is resumed",
                executor.fields.spans["total_time",].value,
                about=f"executor {executor.name}",
                help=["set `time`, the limit of one job"],
            )
        container = found.container
        if container == "none":
            return
        separators = ",:" if container in INHERITING else ":"
        paths = [found.work] if found.host else [executor.span.source.folder]
        for path in (*paths, *(part for mount in found.mounts for part in mount.split(":"))):
            if path and (mark := next((one for one in separators if one in path), "")):
                diagnostics.error(
                    "bad-value",
                    f"{container} cannot give `{path}` to a container: `{mark}` separates paths",
                    executor.span,
                    about=f"executor {executor.name}",
                    help=["use a folder without commas and colons in its path"],
                )

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Write the folder of `job`, and submit it with the other jobs that come now.

        A job that a killed build is still submitting must not start in that folder, so it is discarded before.
        """
        self.watch.discard_earlier_jobs()
        if job.colocated_with and not (self.root / job.colocated_with / QUEUE).is_dir():
            job = replace(job, colocated_with=None)  # that server was started without `colocate`
        folder = self.cluster.folders.remote_folder(job.id)
        script = job_script(job, folder, self.settings, self.cluster.python, secrets)
        self.cluster.folders.write(job, script, secrets)
        options = () if job.colocated_with else directives(job, self.settings)
        self.watch.add(PreparedJob(job, options, secrets))

    def poll(self, id: str) -> JobState:
        """Return the state of a job when Slurm was last asked."""
        self._forwards.restore_lost()
        return self._recorded_end(id) or self.watch.poll(id)

    def update_files(self, id: str, files: Mapping[str, str]) -> None:
        """Replace files in the folder of a running job on the cluster."""
        self.watch.update_files(id, files)

    def cancel(self, id: str) -> None:
        """End a job: SIGTERM, then SIGKILL after the grace time of the cluster, or of the host job."""
        if self._recorded_end(id) is None:
            self.watch.cancel(id)
        self.fetch(id, self.root / id)
        self.watch.remove_leftovers()

    def fetch(self, id: str, into: Path) -> None:
        """Copy outputs and log here and remove them there; ConnectionError if the state is not known."""
        state = require_answer(self.poll(id))
        if state.phase is not Phase.ENDED:
            return
        if self._recorded_end(id):  # evalmake was killed before the batch was forgotten
            self.watch.poll(id)
            self.watch.forget(id)
            return
        self.cluster.folders.remove_secrets(id)
        self.watch.fetch(id)
        self._append_slurm_output(id, state, into)
        self._keep_scripts(id, into)
        end_record.write(self.root / id, state)
        self._unended.discard(id)
        self.watch.forget(id)

    def host_address(self) -> str:
        """Return this host's own address: jobs bring their gateways and need not reach this host."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """Return the URL of a server on its node, or of the local port that ssh forwards to it."""
        node = self._node_address(id)
        if self.cluster.folders.is_shared:
            return f"http://{node}:{port}"
        return f"http://127.0.0.1:{self._forwards.local_port(node, port)}"

    def url_from_jobs(self, id: str, port: int) -> str:
        """Return the URL of a server on its node."""
        return f"http://{self._node_address(id)}:{port}"

    def gpus(self) -> None:
        """Return None: Slurm counts GPUs."""

    def waitables(self) -> list[int]:
        """Return one descriptor, which becomes readable when a job changes."""
        return self.watch.waitables()

    def sweep(self) -> list[tuple[str, str]]:
        """Cancel every job of this workspace, and remove its folder on the cluster."""
        found = self.cluster.commands.list_batches(self.cluster.name_prefix)
        self.cluster.commands.cancel_batches(found)
        self.cluster.folders.remove_all()
        for folder in self.root.glob("slurm-*"):
            remove_tree(folder)
        return sorted((id, f"job {id} of Slurm, {name}") for name, ids in found.items() for id in ids)

    def close(self) -> None:
        """End the thread and the connection."""
        self.watch.stop()
        self.cluster.shell.close()

    def _node_address(self, id: str) -> str:
        """Return the address at which Slurm itself reaches the node of a job."""
        node = self.poll(id).facts.get("node")
        if not node:
            raise OSError(f"the node of job {id} is not known yet")
        if node not in self._addresses:
            self._addresses[node] = self.cluster.commands.node_address(node)
        return self._addresses[node]

    def _recorded_end(self, id: str) -> JobState | None:
        """Return how a job ended if its folder says so. Only `fetch` writes that, so "no" is remembered."""
        if id in self._unended:
            return None
        state = end_record.read(self.root / id)
        if state is None:
            self._unended.add(id)
        return state

    def _append_slurm_output(self, id: str, state: JobState, into: Path) -> None:
        """Append what Slurm itself printed about a failed job to the job's log."""
        output = b"" if state.status == 0 else self.watch.slurm_output(id)
        if output:
            with (into / "log").open("ab") as log:
                log.write(output)

    def _keep_scripts(self, id: str, into: Path) -> None:
        """Move the scripts that Slurm was given to the outputs, for the record."""
        kept = into / "out" / "slurm"
        if kept.is_symlink() or kept.parent.is_symlink():  # the job made it one, and what it leads to is not ours
            return
        kept.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            (into / "job.sh").replace(kept / "job.sh")
        for path in self.watch.batch_scripts(id):
            with contextlib.suppress(OSError):
                shutil.copyfile(path, kept / path.name)
