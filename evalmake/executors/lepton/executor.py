"""Runs jobs and serves models on DGX Cloud Lepton.

An evaluation is a job. Its folder is on a volume that this host has mounted, too, and it brings its own
gateways. A deployment is an endpoint with a public address. One thread (`LeptonWatch`) does everything that
takes a while, and the scheduler is answered from what it saw last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.executors import end_record
from evalmake.executors.lepton import settings
from evalmake.executors.lepton.api import Api
from evalmake.executors.lepton.creation import PreparedResource
from evalmake.executors.lepton.http_client import Client
from evalmake.executors.lepton.job_script import job_script
from evalmake.executors.lepton.login import find_workspace
from evalmake.executors.lepton.recovery import list_endpoints
from evalmake.executors.lepton.request_bodies import Body, endpoint_body, job_body, list_volumes, mask_tokens
from evalmake.executors.lepton.resource_names import executor_key
from evalmake.executors.lepton.volume import Volume
from evalmake.executors.lepton.watch_loop import LeptonWatch
from evalmake.executors.remote.watch_loop import require_answer
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.file_tree import remove_tree
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
        self.key = executor_key(root, name)
        self._reveal: Callable[[str], str] | None = None
        self.client = Client(name, lambda: find_workspace(settings, self.reveal))
        self.api = Api(self.client, self.key)
        self.volume = Volume(root, settings.here, self.key) if settings.here else None
        self.watch = LeptonWatch(self.api, self.volume, root, settings.poll.seconds, settings.keep)

    def receive_secrets(self, reveal: Callable[[str], str]) -> None:
        """Keep `reveal`: it gives the token of the API and the key of endpoints."""
        self._reveal = reveal

    def reveal(self, name: str) -> str:
        """Return the value of a secret; OSError if this executor was given none."""
        if self._reveal is None:
            raise OSError(self.client.message(f"the secret {name} is not available here"))
        return self._reveal(name)

    @staticmethod
    def check_use(executor: Declaration, serves: bool, diagnostics: Diagnostics) -> None:
        """Report the settings that are missing to run deployments, or evaluations."""
        needed = {"shape": "the type of its machines, as Lepton lists them"}
        if serves:
            needed["key"] = 'the secret that clients of its endpoints must send, such as `key = secret("NAME")`'
        else:
            needed["work"] = "a folder on a volume, which jobs see, too"
            needed["here"] = "the path of that folder on this host, as Lepton has no API for files"
        use = "deployments" if serves else "evaluations"
        for name, meaning in needed.items():
            if getattr(executor.settings, name) is None:
                diagnostics.error(
                    "missing-key",
                    f"executor `{executor.name}` (lepton) needs `{name}` to run {use}",
                    executor.span,
                    about=f"executor {executor.name}",
                    help=[f"add `{name}`: {meaning}"],
                )

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Write the folder of `job` and create it soon; OSError if its shape, node group or image does not exist."""
        if job.image is None:
            raise OSError(self.client.message(f"Lepton runs images, and {job.name} names no `image`"))
        body = self.body(job, secrets)
        if body.is_endpoint:
            remove_tree(job.workdir)
            job.workdir.mkdir(0o700, parents=True)
        elif self.volume is not None:
            folder = self.volume.remote_folder(job.id)
            self.volume.write(job, job_script(job, folder, self.settings.python), {})
        self.watch.add(PreparedResource(job, body))

    def body(self, job: Job, secrets: Mapping[str, str]) -> Body:
        """Return what Lepton is asked to create, after a check that its parts exist."""
        shape = self.settings.shape or ""
        group = self.api.node_group_id(self.settings.node_group)
        self.api.check_shape(shape, "deployment" if job.port else "job")
        self.api.check_secrets(self.settings.secrets.values())
        for volume in list_volumes(self.settings):
            self.api.check_volume(volume, group)
        if job.port:
            token = self.reveal(self.settings.key.name) if self.settings.key else ""
            return endpoint_body(job, self.settings, self.key, group, token, secrets)
        if self.volume is None:
            raise OSError(self.client.message("its jobs have no folder: add `work` and `here`"))
        folders = Path(self.volume.remote_root)
        return job_body(job, self.settings, self.key, group, folders, secrets)

    def preview(self, job: Job) -> dict[str, Any]:
        """Return what Lepton would be asked to create: node groups by name, secrets and tokens masked."""
        secrets, group = dict.fromkeys(job.secrets, ""), self.settings.node_group
        if job.port:
            return mask_tokens(endpoint_body(job, self.settings, self.key, group, "", secrets))
        folders = Path(os.path.realpath(self.settings.here or "/")) / self.key
        return mask_tokens(job_body(job, self.settings, self.key, group, folders, secrets))

    def poll(self, id: str) -> JobState:
        """Return the state of a job or endpoint when Lepton was last asked."""
        return end_record.read(self.root / id) or self.watch.poll(id)

    def cancel(self, id: str) -> None:
        """Stop a job or remove an endpoint, and copy its outputs here."""
        if end_record.read(self.root / id) is None:
            self.watch.cancel(id)
        self.fetch(id, self.root / id)
        self.watch.remove_leftovers()

    def fetch(self, id: str, into: Path) -> None:
        """Copy outputs and log here and remove them there; ConnectionError if the state is not known."""
        state = require_answer(self.poll(id))
        if state.phase is not Phase.ENDED:
            return
        if end_record.read(self.root / id) is None:
            self.watch.fetch(id)
            self._add_log(id, into)
            into.mkdir(parents=True, exist_ok=True)
            end_record.write(self.root / id, state)
        self.watch.forget(id)

    def host_address(self) -> str:
        """Return this host's own address: jobs bring their gateways and need not reach this host."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """Return the public address of an endpoint."""
        self.poll(id)
        url = self.watch.endpoint_url(id)
        if not url:
            raise OSError(self.client.message(f"the address of {id} is not known yet"))
        return url

    def url_from_jobs(self, id: str, port: int) -> str:
        """Return the public address of an endpoint: jobs use it, too."""
        return self.url_from_host(id, port)

    def gpus(self) -> None:
        """Return None: Lepton counts GPUs."""

    def waitables(self) -> list[int]:
        """Return one descriptor, which becomes readable when a job or endpoint changes."""
        return self.watch.waitables()

    def sweep(self) -> list[tuple[str, str]]:
        """End and remove all jobs, endpoints and secrets of this executor, and their folders."""
        found = []
        for job in self.api.jobs():
            self.api.stop_job(job.id)
            self.api.remove_job(job.id)
            found.append((job.job, f"job {job.id} of Lepton"))
        for endpoint in list_endpoints(self.api):
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
        """Write the log that Lepton has, if the job wrote none itself."""
        into.mkdir(parents=True, exist_ok=True)
        if not (into / "log").exists():
            (into / "log").write_bytes(self.watch.read_log(id))
