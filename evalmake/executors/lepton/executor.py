"""Jobs and endpoints of DGX Cloud Lepton.

An evaluation is a job whose folder lies on a volume that this host has mounted, too: it brings its
gateways, and what it writes is read there. A deployment is an endpoint with a public address. All that
takes a while is done by one thread (`Watch`), and what the scheduler asks is answered from what that
saw last.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.executors import end_record
from evalmake.executors.lepton import settings
from evalmake.executors.lepton.api import Api
from evalmake.executors.lepton.creation import Prepared
from evalmake.executors.lepton.http_client import Client
from evalmake.executors.lepton.job_script import job_script
from evalmake.executors.lepton.login import address
from evalmake.executors.lepton.recovery import left_endpoints
from evalmake.executors.lepton.request_bodies import Body, endpoint_body, job_body, masked, volumes
from evalmake.executors.lepton.resource_names import key_of
from evalmake.executors.lepton.volume import Volume
from evalmake.executors.lepton.watch_loop import Watch
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.project.declarations import Declaration


class LeptonExecutor:
    """Runs jobs and serves models in one workspace of Lepton."""

    Settings: ClassVar[type[settings.Settings]] = settings.Settings
    capabilities: ClassVar[Capabilities] = Capabilities(
        images=True, without_image=False, private_network=True, own_queue=True, sidecar=True, remote=True, replicas=True
    )

    def __init__(self, name: str, settings: settings.Settings, root: Path) -> None:
        self.name = name
        self.settings = settings
        self.root = root
        self.key = key_of(root, name)
        self._reveal: Callable[[str], str] | None = None
        self.client = Client(name, lambda: address(settings, self.reveal))
        self.api = Api(self.client, self.key)
        self.volume = Volume(root, settings.here, self.key) if settings.here else None
        self.watch = Watch(self.api, self.volume, root, settings.poll.seconds, settings.keep)

    def receive_secrets(self, reveal: Callable[[str], str]) -> None:
        """Keep `reveal`: it gives the token of the API and the key of endpoints."""
        self._reveal = reveal

    def reveal(self, name: str) -> str:
        """Return the value of a secret; OSError if this executor was given none."""
        if self._reveal is None:
            raise OSError(self.client.says(f"the secret {name} is not available here"))
        return self._reveal(name)

    @staticmethod
    def check_use(executor: Declaration, serves: bool, found: Diagnostics) -> None:
        """What it needs depends on what it is for."""
        wanted = {"shape": "what its machines are, as Lepton lists them"}
        if serves:
            wanted["key"] = 'what its endpoints ask of those who use them, as `key = secret("NAME")`'
        else:
            wanted["work"] = "a folder of a volume that jobs have, too"
            wanted["here"] = "the same folder as this host has it mounted: Lepton gives out no files"
        use = "deployments" if serves else "evaluations"
        for name, meaning in wanted.items():
            if getattr(executor.settings, name) is None:
                found.error(
                    "missing-key",
                    f"executor `{executor.name}` (lepton) needs `{name}` to run {use}",
                    executor.span,
                    about=f"executor {executor.name}",
                    help=[f"add `{name}`: {meaning}"],
                )

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Make `job` ready; OSError where its shape, node group or image cannot be had."""
        if job.image is None:
            raise OSError(self.client.says(f"Lepton runs images: `image` is lacking, of {job.name}"))
        body = self.body(job, secrets)
        if body.serves:
            shutil.rmtree(job.workdir, ignore_errors=True)
            job.workdir.mkdir(parents=True)
        elif self.volume is not None:
            there = self.volume.of(job.id)
            self.volume.write(job, job_script(job, there, self.settings.python), {})
        self.watch.add(Prepared(job, body))

    def body(self, job: Job, secrets: Mapping[str, str]) -> Body:
        """What Lepton will be asked to make."""
        shape = self.settings.shape or ""
        group = self.api.group(self.settings.node_group)
        self.api.check_shape(shape, "deployment" if job.port else "job")
        for volume in volumes(self.settings):
            self.api.check_volume(volume, group)
        if job.port:
            token = self.reveal(self.settings.key.name) if self.settings.key else ""
            return endpoint_body(job, self.settings, self.key, group, token, secrets)
        if self.volume is None:
            raise OSError(self.client.says("its jobs have no folder: add `work` and `here`"))
        folders = Path(self.volume.there)
        return job_body(job, self.settings, self.key, group, folders, secrets)

    def preview(self, job: Job) -> dict[str, Any]:
        """What Lepton would be asked to make: node groups by name, secrets and tokens masked."""
        hidden, group = dict.fromkeys(job.secrets, ""), self.settings.node_group
        if job.port:
            return masked(endpoint_body(job, self.settings, self.key, group, "", hidden))
        folders = Path(os.path.realpath(self.settings.here or "/")) / self.key
        return masked(job_body(job, self.settings, self.key, group, folders, hidden))

    def poll(self, id: str) -> JobState:
        """A job's state when Lepton was last asked, which goes on beside."""
        return end_record.read(self.root / id) or self.watch.state(id)

    def cancel(self, id: str) -> None:
        """Stop a job, remove an endpoint; what it left is brought here."""
        if end_record.read(self.root / id) is None:
            self.watch.end(id)
        self.fetch(id, self.root / id)
        self.watch.tidy()

    def fetch(self, id: str, into: Path) -> None:
        """Outputs and log are copied here; then nothing is left in Lepton.

        ConnectionError while how it is cannot be said.
        """
        state = self.poll(id)
        if state.phase is Phase.UNREACHABLE:
            raise ConnectionError(state.detail)
        if state.phase is not Phase.ENDED:
            return
        if end_record.read(self.root / id) is None:
            self.watch.bring(id)
            self._add_log(id, into)
            into.mkdir(parents=True, exist_ok=True)
            end_record.write(self.root / id, state)
        self.watch.forget(id)

    def host_address(self) -> str:
        """Jobs need not reach this host: they bring their gateways."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """The public address of an endpoint."""
        self.poll(id)
        url = self.watch.url(id)
        if not url:
            raise OSError(self.client.says(f"where {id} is served is not known yet"))
        return url

    def url_from_jobs(self, id: str, port: int) -> str:
        """Jobs reach it as everybody does."""
        return self.url_from_host(id, port)

    def gpus(self) -> None:
        """Lepton counts them."""

    def waitables(self) -> list[int]:
        """One descriptor, readable when something has changed."""
        return self.watch.waitables()

    def sweep(self) -> list[tuple[str, str]]:
        """End and remove all jobs, endpoints and secrets of this executor's, and their folders."""
        found = []
        for job in self.api.jobs():
            self.api.stop_job(job.id)
            self.api.remove_job(job.id)
            found.append((job.job, f"job {job.id} of Lepton"))
        for endpoint in left_endpoints(self.api):
            self.api.remove_endpoint(endpoint.id)
            found.append(("", f"endpoint {endpoint.id} of Lepton"))
        self.api.remove_secrets(self.api.secrets())
        if self.volume is not None:
            self.volume.remove_all()
        return sorted(found)

    def close(self) -> None:
        """End the thread and the connection."""
        self.watch.stop()
        self.client.close()

    def _add_log(self, id: str, into: Path) -> None:
        """What Lepton has of the log of what could not write its own."""
        into.mkdir(parents=True, exist_ok=True)
        if not (into / "log").exists():
            (into / "log").write_bytes(self.watch.said(id))
