"""Jobs of a Slurm cluster.

All that takes a while is done by one thread (`Watch`): it hands over what was submitted, in as few calls
of sbatch as there are sorts of jobs, and asks squeue for all jobs at once, ever more rarely while
nothing changes. What the scheduler asks of a job is answered from what was last seen.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from evalmake.executors import end_record
from evalmake.executors.slurm import settings
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.job_folders import QUEUE
from evalmake.executors.slurm.job_script import directives, job_script
from evalmake.executors.slurm.port_forwards import Forwards
from evalmake.executors.slurm.prepared_batch import Prepared
from evalmake.executors.slurm.watch_loop import Watch
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase


class SlurmExecutor:
    """Runs jobs on the nodes of a cluster."""

    Settings: ClassVar[type[settings.Settings]] = settings.Settings
    capabilities: ClassVar[Capabilities] = Capabilities(images=True, own_queue=True, sidecar=True)

    def __init__(self, name: str, settings: settings.Settings, root: Path) -> None:
        self.settings = settings
        self.root = root
        self.cluster = Cluster(settings, root)
        self.watch = Watch(self.cluster)
        self._addresses: dict[str, str] = {}
        self._forwards = Forwards(self.cluster.shell)
        self._going: set[str] = set()  # jobs whose folders do not say how they ended

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Make `job` ready to be handed over with the others that are submitted now."""
        if job.colocated_with and not (self.root / job.colocated_with / QUEUE).is_dir():
            job = replace(job, colocated_with=None)  # that was begun without `colocate`
        folder = self.cluster.folders.of(job.id)
        script = job_script(job, folder, self.settings, self.cluster.python, secrets)
        self.cluster.folders.write(job, script, secrets)
        asks = () if job.colocated_with else directives(job, self.settings)
        self.watch.add(Prepared(job, asks, secrets))

    def poll(self, id: str) -> JobState:
        """A job's state when Slurm was last asked, which goes on beside."""
        self._forwards.keep()
        return self._ended(id) or self.watch.state(id)

    def update_files(self, id: str, files: Mapping[str, str]) -> None:
        """Replace files of a running job's folder, also where that is not here."""
        self.watch.update_files(id, files)

    def cancel(self, id: str) -> None:
        """TERM, KILL after a grace, the cluster's own or a host's; what it left is brought here."""
        if self._ended(id) is None:
            self.watch.end(id)
        self.fetch(id, self.root / id)

    def fetch(self, id: str, into: Path) -> None:
        """Outputs and log are copied here, and removed there; ConnectionError while how it is cannot be said."""
        state = self.poll(id)
        if state.phase is Phase.UNREACHABLE:
            raise ConnectionError(state.detail)
        if state.phase is not Phase.ENDED:
            return
        if self._ended(id):  # a kill came before its batch was forgotten
            self.watch.state(id)
            self.watch.forget(id)
            return
        self.cluster.folders.forget(id)
        self.watch.bring(id)
        self._add_words_of_slurm(id, into)
        self._keep_scripts(id, into)
        end_record.write(self.root / id, state)
        self._going.discard(id)
        self.watch.forget(id)

    def host_address(self) -> str:
        """Jobs need not reach this host: they bring their gateways."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """The node, or where ssh brings its port."""
        node = self._node(id)
        if self.cluster.folders.near:
            return f"http://{node}:{port}"
        return f"http://127.0.0.1:{self._forwards.to(node, port)}"

    def url_from_jobs(self, id: str, port: int) -> str:
        """The node that a job runs on."""
        return f"http://{self._node(id)}:{port}"

    def _node(self, id: str) -> str:
        """The address of a job's node at which Slurm itself reaches it."""
        node = self.poll(id).facts.get("node")
        if not node:
            raise OSError(f"where job {id} runs is not known yet")
        if node not in self._addresses:
            self._addresses[node] = self.cluster.commands.address(node)
        return self._addresses[node]

    def gpus(self) -> None:
        """Slurm counts them."""

    def waitables(self) -> list[int]:
        """One descriptor, readable when a job's state has changed."""
        return self.watch.waitables()

    def sweep(self) -> list[tuple[str, str]]:
        """End every job of this workspace, and remove what it has on the cluster."""
        found = self.cluster.commands.all(self.cluster.prefix)
        self.cluster.commands.cancel_named(found)
        self.cluster.folders.remove_all()
        for folder in self.root.glob("slurm-*"):
            shutil.rmtree(folder, ignore_errors=True)
        return sorted((id, f"job {id} of Slurm, {name}") for name, ids in found.items() for id in ids)

    def close(self) -> None:
        """End the thread and the connection."""
        self.watch.stop()
        self.cluster.shell.close()

    def _ended(self, id: str) -> JobState | None:
        """How a job ended, once that is on disk; nobody but `fetch` writes it there."""
        if id in self._going:
            return None
        said = end_record.read(self.root / id)
        if said is None:
            self._going.add(id)
        return said

    def _add_words_of_slurm(self, id: str, into: Path) -> None:
        """What Slurm itself printed of a job stands below what the job did."""
        said = b"" if self.poll(id).status == 0 else self.watch.said(id)
        if said:
            with (into / "log").open("ab") as log:
                log.write(said)

    def _keep_scripts(self, id: str, into: Path) -> None:
        """What Slurm was given is put on record with the outputs."""
        kept = into / "out" / "slurm"
        kept.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            (into / "job.sh").replace(kept / "job.sh")
        for path in self.watch.scripts(id):
            with contextlib.suppress(OSError):
                shutil.copyfile(path, kept / path.name)
