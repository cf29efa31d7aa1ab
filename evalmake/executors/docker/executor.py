"""Runs jobs as containers of a Docker engine.

The name of a container contains the workspace and the id of the job. So a job never has two containers, and the
next evalmake finds what a killed one left. When a container has ended, its outputs are copied into the job's
folder, the record of its end last. Then it is removed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from evalmake.executors import end_record
from evalmake.executors.docker import container, settings
from evalmake.executors.docker.container_log import FollowedContainer
from evalmake.executors.docker.engine import Engine
from evalmake.executors.docker.images import Image, Images
from evalmake.executors.docker.network import ClosedNetwork, host_address_on_bridge
from evalmake.executors.gpu_devices import find_gpus
from evalmake.executors.remote.wakeup import Wakeup
from evalmake.executors.secret_exports import export_lines
from evalmake.executors.tar_archive import pack, unpack
from evalmake.language.file_tree import remove_tree
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase

_GRACE = 5  # seconds between SIGTERM and SIGKILL
_SIGNAL_STATUSES = (137, 143, 255)
_EVENT_DELAY = 2  # seconds after an end until the engine has recorded its events
_REMOVAL_TIMEOUT = 60.0


@dataclass(slots=True)
class PendingPull:
    """A job whose image is being pulled. A thread starts the job after that, unless the job is given up."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    given_up: bool = False
    progress: str = "waits for its image"
    refusal: str = ""


class DockerExecutor:
    """Runs each job in a container of its own."""

    Settings: ClassVar[type[settings.Settings]] = settings.Settings
    capabilities: ClassVar[Capabilities] = Capabilities(images=True, without_image=False, private_network=True)

    def __init__(self, name: str, settings: settings.Settings, root: Path) -> None:
        place = sha256(f"{socket.gethostname()}\0{os.path.realpath(root)}".encode()).hexdigest()
        self.settings = settings
        self.root = root
        self.workspace = place[:12]
        self.engine = Engine(name, settings.host)
        self.images = Images(self.engine, settings.pull)
        self._labels = {container.WORKSPACE: self.workspace, container.EXECUTOR: name}
        self.network: ClosedNetwork | None = None
        if settings.network == "gateway":
            bridge = sha256(f"{place}\0{name}".encode()).hexdigest()[:10]
            self.network = ClosedNetwork(self.engine, f"evm-{bridge}", self._labels, root)
        self._pulls: dict[str, PendingPull] = {}
        self._running: dict[str, FollowedContainer] = {}
        self._unreachable: set[str] = set()
        self._wakeup = Wakeup()

    # Start ------------------------------------------------------------------------------------

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job`; if its image must be pulled, a thread pulls it and then starts the job."""
        remove_tree(job.workdir)
        job.workdir.mkdir(0o700, parents=True)
        if job.image is None:
            raise OSError(self.engine.message(f"it runs images, and {job.name} names no `image`"))
        if job.port and self.engine.remote_host:
            why = f"{job.name} would listen on {self.engine.remote_host} only: run servers on an engine of this host"
            raise OSError(self.engine.message(why))
        if absent := [str(one.source) for one in job.mounts.values() if not os.path.exists(one.source)]:
            raise OSError(self.engine.message(f"{job.name} needs {absent[0]}, which does not exist"))
        if (image := self.images.find(job.image)) is not None:
            self._start(job, secrets, image)
            return
        pending = self._pulls[job.id] = PendingPull()
        threading.Thread(target=self._pull_and_start, args=(job, job.image, secrets, pending), daemon=True).start()

    def _pull_and_start(self, job: Job, image: str, secrets: Mapping[str, str], pending: PendingPull) -> None:
        def report(text: str) -> None:
            if pending.given_up:
                raise OSError("given up")
            pending.progress = text
            with (job.workdir / "log").open("a") as log:
                log.write(f"{text}\n")

        try:
            found = self.images.pull(image, report)
            with pending.lock:
                if not pending.given_up:
                    self._start(job, secrets, found)
                    self._pulls.pop(job.id)
        except ConnectionError:
            self._pulls.pop(job.id, None)  # it is unknown now, so it is started again
        except OSError as error:
            pending.refusal = str(error)
        self._wakeup.wake()

    def _start(self, job: Job, secrets: Mapping[str, str], image: Image) -> None:
        name, shares_files = self._container_name(job.id), not self.engine.remote_host
        if self.network is not None:
            self.network.open()
            self.network.allow(job.host_ports)
        parameters = container.create_parameters(
            job, image, self.settings, self._labels, self.network, bool(secrets), shares_files
        )
        copied = {n: p for n, p in job.inputs.items() if n not in container.mounted_inputs(job, shares_files)}
        try:
            self._create(name, parameters)
            with self.engine.call("cannot start a container") as api:
                with pack(container.FOLDER, ["out"], job.files, copied) as tar:
                    api.put_archive(name, "/", tar)
                if secrets:
                    _write_stdin(api, name, export_lines(secrets))
                api.start(name)
        except (OSError, LookupError) as error:
            with contextlib.suppress(OSError):
                self._remove(name)
            raise error if isinstance(error, OSError) else OSError(str(error)) from None
        with contextlib.suppress(OSError, LookupError):
            self._state(job.id, self._inspect(job.id), False)  # follows its log from now on

    def _create(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Create a container, in place of a leftover of the same name."""
        try:
            with self.engine.call("cannot create a container") as api:
                api.create_container(name=name, **parameters)
        except FileExistsError:
            self._remove(name)
            with self.engine.call("cannot create a container") as api:
                api.create_container(name=name, **parameters)

    # State ------------------------------------------------------------------------------------

    def poll(self, id: str) -> JobState:
        """Return the state of a job from its folder, or from the engine unless its log is still open."""
        self._wakeup.clear()
        if (end := end_record.read(self.root / id)) is not None:
            return end
        if (pending := self._pulls.get(id)) is not None:
            if not pending.refusal:
                return JobState(Phase.QUEUED, None, pending.progress)
            del self._pulls[id]
            return JobState(Phase.REFUSED, None, pending.refusal)
        running = self._running.get(id)
        if running is not None and running.is_surely_running:
            return running.state
        try:
            return self._state(id, self._inspect(id), False)
        except LookupError:
            return JobState(Phase.UNKNOWN)
        except OSError as error:
            self._unreachable.add(id)
            return JobState(Phase.UNREACHABLE, None, str(error))

    def _state(self, id: str, info: Mapping[str, Any], stopped: bool) -> JobState:
        """Return the state of a container from what the engine says; `stopped`: evalmake stopped it just now."""
        state, facts = info["State"], container.image_facts(info)
        if state["Status"] == "created":
            return JobState(Phase.UNKNOWN)
        if state["Running"]:
            self._unreachable.discard(id)
            return self._watch(id, JobState(Phase.RUNNING, None, "", facts))
        status, detail = state["ExitCode"], container.describe_end(info)
        if stopped:
            return JobState(Phase.ENDED, status or 143, detail or "cancelled", facts)
        if status in _SIGNAL_STATUSES and not state["OOMKilled"] and self._was_killed_by_engine(id, state):
            return JobState(Phase.ENDED, None, "its engine ended it", facts)
        return JobState(Phase.ENDED, status, detail, facts)

    def _was_killed_by_engine(self, id: str, state: Mapping[str, Any]) -> bool:
        """Return whether the engine killed a container, or was away itself: it may have taken it along."""
        if id in self._unreachable:
            return True
        filters = {"container": self._container_name(id), "event": "kill"}
        since, until = (_epoch_seconds(state[key]) for key in ("StartedAt", "FinishedAt"))
        with contextlib.suppress(LookupError), self.engine.call() as api:
            events = api.events(since=since, until=until + _EVENT_DELAY, filters=filters)
            return any(True for _ in events)
        return False

    def _watch(self, id: str, state: JobState) -> JobState:
        running = self._running.get(id)
        if running is None or not running.note_running():
            with contextlib.suppress(OSError):
                log = self.root / id / "log"
                self._running[id] = FollowedContainer(self.engine, self._container_name(id), log, state, self._wakeup)
        return state

    def url_from_jobs(self, id: str, port: int) -> str:
        """Return the same URL: jobs reach a server as this host does."""
        return self.url_from_host(id, port)

    def gpus(self) -> tuple[str, ...] | None:
        """Return the GPUs that the settings name; None for all GPUs of another host, which its engine counts."""
        gpus = self.settings.gpus
        return None if gpus == "all" and self.engine.remote_host else find_gpus(gpus)

    def waitables(self) -> list[int]:
        """Return one descriptor, which becomes readable when the log of any job ends."""
        return [self._wakeup.fileno()] if self._pulls or self._running else []

    def host_address(self) -> str:
        """Return this host's address in the network of the containers."""
        return self.network.open() if self.network else host_address_on_bridge(self.engine)

    def url_from_host(self, id: str, port: int) -> str:
        """Return the URL of the port that the engine published on this host, or of the container itself."""
        try:
            network = self._inspect(id)["NetworkSettings"]
        except LookupError as error:
            raise OSError(str(error)) from None
        if self.network is not None:
            return f"http://{network['Networks'][self.network.name]['IPAddress']}:{port}"
        published = network["Ports"].get(f"{port}/tcp")
        if not published:
            raise OSError(self.engine.message(f"port {port} of job {id} is not published"))
        return f"http://127.0.0.1:{published[0]['HostPort']}"

    # End ----------------------------------------------------------------------------------------

    def cancel(self, id: str) -> None:
        """Send SIGTERM, SIGKILL five seconds later, and copy the outputs here."""
        self._finish(id, self.root / id)

    def fetch(self, id: str, into: Path) -> None:
        """Copy outputs and log here, and remove the container."""
        self._finish(id, into)

    def _finish(self, id: str, into: Path) -> None:
        if (pending := self._pulls.pop(id, None)) is not None:
            with pending.lock:
                pending.given_up = True
        if end_record.read(self.root / id) is None:
            with contextlib.suppress(LookupError):  # somebody removed it
                self._copy_ended(id, into)
        self._remove(self._container_name(id))
        self._running.pop(id, None)
        self._unreachable.discard(id)

    def _copy_ended(self, id: str, into: Path) -> None:
        state = self._stop(id)
        if state.phase is Phase.ENDED:
            into.mkdir(parents=True, exist_ok=True)
            try:
                self._copy_outputs(self._container_name(id), into)
            except ConnectionError:
                raise
            except OSError:  # such as a full disk: nobody will ask for it again
                self._remove(self._container_name(id))
                raise
            end_record.write(self.root / id, state)

    def _stop(self, id: str) -> JobState:
        """Stop a container if it runs, and return how it ended."""
        info = self._inspect(id)
        if not info["State"]["Running"]:
            return self._state(id, info, False)
        with self.engine.call("cannot stop a container") as api:
            api.stop(self._container_name(id), timeout=_GRACE)
        return self._state(id, self._inspect(id), True)

    def _copy_outputs(self, name: str, into: Path) -> None:
        """Copy the outputs, then the whole log in place of what was followed."""
        with contextlib.suppress(LookupError), self.engine.call("cannot copy outputs") as api:
            chunks, _ = api.get_archive(name, f"{container.FOLDER}/out")
            unpack(iter(chunks), into / "out")
        unfinished = into / ".log"
        with self.engine.call("cannot read a log") as api, unfinished.open("wb") as log:
            log.writelines(api.logs(name, stream=True, follow=False))
        unfinished.replace(into / "log")

    def sweep(self) -> list[tuple[str, str]]:
        """Remove every container and network of this workspace, whichever executor made it."""
        own = {"label": f"{container.WORKSPACE}={self.workspace}"}
        found = []
        with self.engine.call() as api:
            for one in api.containers(all=True, filters=own):
                self._remove(one["Id"])
                id = one["Labels"][container.JOB]
                found.append((id, f"the container of job {id}"))
            for one in api.networks(filters=own):
                ClosedNetwork(self.engine, one["Name"], {}, self.root).remove()
                found.append(("", f"the network {one['Name']}"))
        if self.network is not None and self.network.marker.exists():
            self.network.remove()  # only its firewall chain was left
        return sorted(found)

    def close(self) -> None:
        """Remove the network if no job is in it, and close the connection."""
        if self.network is not None and self.network.marker.exists():
            with contextlib.suppress(OSError):
                self.network.remove()
        self.engine.close()

    def _inspect(self, id: str) -> Any:
        with self.engine.call() as api:
            return api.inspect_container(self._container_name(id))

    def _remove(self, name: str) -> None:
        """Remove a container, or wait until another process has removed it."""
        failure = "cannot remove a container"
        with contextlib.suppress(LookupError):
            try:
                with self.engine.call(failure) as api:
                    api.remove_container(name, v=True, force=True)
            except FileExistsError:
                with self.engine.call(failure) as api:
                    api.wait(name, condition="removed", timeout=_REMOVAL_TIMEOUT)

    def _container_name(self, id: str) -> str:
        return f"evalmake-{self.workspace}-{id}"


def _epoch_seconds(moment: str) -> int:
    """Return a time of the engine in seconds since the epoch."""
    return int(datetime.fromisoformat(f"{moment[:19]}+00:00").timestamp())


def _write_stdin(api: Any, name: str, text: bytes) -> None:
    """Write a text to the standard input of a container, and close that."""
    handle = api.attach_socket(name, {"stdin": 1, "stream": 1})
    stream = getattr(handle, "_sock", handle)
    stream.sendall(text)
    stream.shutdown(socket.SHUT_WR)
    handle.close()
