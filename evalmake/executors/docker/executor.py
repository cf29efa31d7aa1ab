"""Jobs as containers of a Docker engine.

A container's name is made of the workspace and the job's id, so no job is ever in two, and the next
evalmake finds what a killed one left. All that is wanted of a container is brought into the job's
folder when it has ended, `end_record.json` last; then it is removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
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
from evalmake.executors.docker.container_log import Running
from evalmake.executors.docker.engine import Engine
from evalmake.executors.docker.images import Image, Images
from evalmake.executors.docker.network import Closed, near_address
from evalmake.executors.gpu_devices import devices
from evalmake.executors.remote.wakeup import Wakeup
from evalmake.executors.tar_archive import packed, unpack
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase

_GRACE = 5  # seconds between TERM and KILL
_BY_SIGNAL = (137, 143, 255)
_LATE = 2  # seconds after an end within which the engine has noted what it had to do with it
_REMOVAL = 60  # seconds that one may take


@dataclass(slots=True)
class Coming:
    """A job whose image is on its way; a thread begins it then, unless it is given up first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    given_up: bool = False
    progress: str = "its image is waited for"
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
        self.closed: Closed | None = None
        if settings.network == "gateway":
            bridge = sha256(f"{place}\0{name}".encode()).hexdigest()[:10]
            self.closed = Closed(self.engine, f"evm-{bridge}", self._labels, root)
        self._coming: dict[str, Coming] = {}
        self._running: dict[str, Running] = {}
        self._unseen: set[str] = set()
        self._bell = Wakeup()

    # Starting -----------------------------------------------------------------------------------

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job`; where its image must be pulled, that and the start go on beside."""
        shutil.rmtree(job.workdir, ignore_errors=True)
        job.workdir.mkdir(parents=True)
        if job.image is None:
            raise OSError(self.engine.says(f"it runs images, and {job.name} names none"))
        if job.port and self.engine.remote:
            why = f"{job.name} would be reached on {self.engine.remote} only: servers run on this host"
            raise OSError(self.engine.says(why))
        if absent := [str(one.source) for one in job.mounts.values() if not one.source.exists()]:
            raise OSError(self.engine.says(f"there is no {absent[0]}, which {job.name} is to have"))
        if (image := self.images.find(job.image)) is not None:
            self._begin(job, secrets, image)
            return
        coming = self._coming[job.id] = Coming()
        threading.Thread(target=self._begin_later, args=(job, job.image, secrets, coming), daemon=True).start()

    def _begin_later(self, job: Job, image: str, secrets: Mapping[str, str], coming: Coming) -> None:
        def tell(text: str) -> None:
            if coming.given_up:
                raise OSError("given up")
            coming.progress = text
            with (job.workdir / "log").open("a") as log:
                log.write(f"{text}\n")

        try:
            found = self.images.pull(image, tell)
            with coming.lock:
                if not coming.given_up:
                    self._begin(job, secrets, found)
                    self._coming.pop(job.id)
        except ConnectionError:
            self._coming.pop(job.id, None)  # it never began, and is tried again
        except OSError as error:
            coming.refusal = str(error)
        self._bell.wake()

    def _begin(self, job: Job, secrets: Mapping[str, str], image: Image) -> None:
        name, near = self._name(job.id), not self.engine.remote
        if self.closed is not None:
            self.closed.open()
            self.closed.allow(job.host_ports)
        given = container.parameters(job, image, self.settings, self._labels, self.closed, bool(secrets), near)
        copied = {n: p for n, p in job.inputs.items() if n not in container.mounted(job, near)}
        try:
            self._create(name, given)
            with self.engine.asked("cannot start a container") as api:
                with packed(container.FOLDER, ["out"], job.files, copied) as tar:
                    api.put_archive(name, "/", tar)
                if secrets:
                    _say(api, name, container.spoken(secrets))
                api.start(name)
        except (OSError, LookupError) as error:
            with contextlib.suppress(OSError):
                self._remove(name)
            raise error if isinstance(error, OSError) else OSError(str(error)) from None
        with contextlib.suppress(OSError, LookupError):
            self._state(job.id, self._inspect(job.id), False)  # its log is followed from now on

    def _create(self, name: str, given: Mapping[str, Any]) -> None:
        """Make a container; one of that name was left there, and nobody knows of it."""
        try:
            with self.engine.asked("cannot make a container") as api:
                api.create_container(name=name, **given)
        except FileExistsError:
            self._remove(name)
            with self.engine.asked("cannot make a container") as api:
                api.create_container(name=name, **given)

    # Looking ------------------------------------------------------------------------------------

    def poll(self, id: str) -> JobState:
        """A job's state from its folder, or else from the engine, unless its log is still open."""
        self._bell.clear()
        if (said := end_record.read(self.root / id)) is not None:
            return said
        if (coming := self._coming.get(id)) is not None:
            if not coming.refusal:
                return JobState(Phase.QUEUED, None, coming.progress)
            del self._coming[id]
            return JobState(Phase.REFUSED, None, coming.refusal)
        running = self._running.get(id)
        if running is not None and running.surely:
            return running.state
        try:
            return self._state(id, self._inspect(id), False)
        except LookupError:
            return JobState(Phase.UNKNOWN)
        except OSError as error:
            self._unseen.add(id)
            return JobState(Phase.UNREACHABLE, None, str(error))

    def _state(self, id: str, info: Mapping[str, Any], stopped: bool) -> JobState:
        """What the engine says of a container; `stopped`: it was told to end while it ran."""
        state, facts = info["State"], container.facts(info)
        if state["Status"] == "created":
            return JobState(Phase.UNKNOWN)
        if state["Running"]:
            self._unseen.discard(id)
            return self._watch(id, JobState(Phase.RUNNING, None, "", facts))
        status, detail = state["ExitCode"], container.told(info)
        if stopped:
            return JobState(Phase.ENDED, status or 143, detail or "it was told to end", facts)
        if status in _BY_SIGNAL and not state["OOMKilled"] and self._killed(id, state):
            return JobState(Phase.ENDED, None, "it was ended by its engine", facts)
        return JobState(Phase.ENDED, status, detail, facts)

    def _killed(self, id: str, state: Mapping[str, Any]) -> bool:
        """Whether the engine was told to end a container, or was away: it may have ended with it."""
        if id in self._unseen:
            return True
        asked = {"container": self._name(id), "event": "kill"}
        since, until = (_seconds(state[key]) for key in ("StartedAt", "FinishedAt"))
        with contextlib.suppress(LookupError), self.engine.asked() as api:
            told = api.events(since=since, until=until + _LATE, filters=asked)
            return any(True for _ in told)
        return False

    def _watch(self, id: str, state: JobState) -> JobState:
        running = self._running.get(id)
        if running is None or not running.seen():
            with contextlib.suppress(OSError):
                log = self.root / id / "log"
                self._running[id] = Running(self.engine, self._name(id), log, state, self._bell)
        return state

    def url_from_jobs(self, id: str, port: int) -> str:
        """Jobs reach a server as this host does."""
        return self.url_from_host(id, port)

    def gpus(self) -> tuple[str, ...] | None:
        """Those that the settings name; which there are on another host is for its engine to say."""
        gpus = self.settings.gpus
        return None if gpus == "all" and self.engine.remote else devices(gpus)

    def waitables(self) -> list[int]:
        """One descriptor, which is readable when any job's log ends."""
        return [self._bell.fileno()] if self._coming or self._running else []

    def host_address(self) -> str:
        """This host's address in the network that containers are in."""
        return self.closed.open() if self.closed else near_address(self.engine)

    def url_from_host(self, id: str, port: int) -> str:
        """Where the engine has published the port on this host, or the container itself."""
        try:
            network = self._inspect(id)["NetworkSettings"]
        except LookupError as error:
            raise OSError(str(error)) from None
        if self.closed is not None:
            return f"http://{network['Networks'][self.closed.name]['IPAddress']}:{port}"
        published = network["Ports"].get(f"{port}/tcp")
        if not published:
            raise OSError(self.engine.says(f"port {port} of job {id} is not published"))
        return f"http://127.0.0.1:{published[0]['HostPort']}"

    # Ending -------------------------------------------------------------------------------------

    def cancel(self, id: str) -> None:
        """TERM, KILL after a grace of five seconds; what it left is brought here."""
        self._finish(id, self.root / id)

    def fetch(self, id: str, into: Path) -> None:
        """Outputs and log are copied out, and the container is removed."""
        self._finish(id, into)

    def _finish(self, id: str, into: Path) -> None:
        if (coming := self._coming.pop(id, None)) is not None:
            with coming.lock:
                coming.given_up = True
        if end_record.read(self.root / id) is None:
            with contextlib.suppress(LookupError):  # it is gone, whoever removed it
                self._bring_all(id, into)
        self._remove(self._name(id))
        self._running.pop(id, None)
        self._unseen.discard(id)

    def _bring_all(self, id: str, into: Path) -> None:
        state = self._ended(id)
        if state.phase is Phase.ENDED:
            into.mkdir(parents=True, exist_ok=True)
            try:
                self._bring(self._name(id), into)
            except ConnectionError:
                raise
            except OSError:  # as on a full disk: nobody will ask again
                self._remove(self._name(id))
                raise
            end_record.write(self.root / id, state)

    def _ended(self, id: str) -> JobState:
        """How a job ended, which it is told to do where it runs."""
        info = self._inspect(id)
        if not info["State"]["Running"]:
            return self._state(id, info, False)
        with self.engine.asked("cannot stop a container") as api:
            api.stop(self._name(id), timeout=_GRACE)
        return self._state(id, self._inspect(id), True)

    def _bring(self, name: str, into: Path) -> None:
        """The outputs, then the whole log in place of what was followed of it."""
        with contextlib.suppress(LookupError), self.engine.asked("cannot copy outputs") as api:
            chunks, _ = api.get_archive(name, f"{container.FOLDER}/out")
            unpack(iter(chunks), into / "out")
        unfinished = into / ".log"
        with self.engine.asked("cannot read a log") as api, unfinished.open("wb") as log:
            log.writelines(api.logs(name, stream=True, follow=False))
        unfinished.replace(into / "log")

    def sweep(self) -> list[tuple[str, str]]:
        """Remove every container and network of this workspace, whichever executor made it."""
        mine = {"label": f"{container.WORKSPACE}={self.workspace}"}
        found = []
        with self.engine.asked() as api:
            for one in api.containers(all=True, filters=mine):
                self._remove(one["Id"])
                id = one["Labels"][container.JOB]
                found.append((id, f"the container of job {id}"))
            for one in api.networks(filters=mine):
                Closed(self.engine, one["Name"], {}, self.root).remove()
                found.append(("", f"the network {one['Name']}"))
        if self.closed is not None and self.closed.mark.exists():
            self.closed.remove()  # of which there was no more than what shuts it off
        return sorted(found)

    def close(self) -> None:
        """Take the network away, if there is one and no job is in it; end the connection."""
        if self.closed is not None and self.closed.mark.exists():
            with contextlib.suppress(OSError):
                self.closed.remove()
        self.engine.close()

    def _inspect(self, id: str) -> Any:
        with self.engine.asked() as api:
            return api.inspect_container(self._name(id))

    def _remove(self, name: str) -> None:
        """Remove a container, or wait until whoever does that already has done it."""
        what = "cannot remove a container"
        with contextlib.suppress(LookupError):
            try:
                with self.engine.asked(what) as api:
                    api.remove_container(name, v=True, force=True)
            except FileExistsError:
                with self.engine.asked(what) as api:
                    api.wait(name, condition="removed", timeout=_REMOVAL)

    def _name(self, id: str) -> str:
        return f"evalmake-{self.workspace}-{id}"


def _seconds(moment: str) -> int:
    """The engine's form of a time, in seconds since the epoch."""
    return int(datetime.fromisoformat(f"{moment[:19]}+00:00").timestamp())


def _say(api: Any, name: str, text: bytes) -> None:
    """Put a text on a container's standard input, and end that."""
    handle = api.attach_socket(name, {"stdin": 1, "stream": 1})
    line = getattr(handle, "_sock", handle)
    line.sendall(text)
    line.shutdown(socket.SHUT_WR)
    handle.close()
