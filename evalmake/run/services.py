"""Servers: each started once, when the first that needs it is ready; probed; shared; stopped last."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.lang.diagnostic import Diagnostic, EvalmakeError, problem
from evalmake.lang.values import Duration
from evalmake.planner.ports import Executor, JobState, Phase
from evalmake.run.events import Emit, ServiceChanged
from evalmake.run.jobs import Workshop
from evalmake.run.secrets import Secrets
from evalmake.run.served import Served
from evalmake.store.journal import Entry, Journal

_STARTS = 3
_FIRST_WAIT = 0.5
_UP = ("starting", "ready")
_KILLED = "137 is SIGKILL, most often the memory limit: raise `resources.memory`"
_TAKEN = "end what listens there, or give the deployment another `port`"


@dataclass(slots=True)
class Running:
    """One server's life in this build."""

    what: Served
    users: set[str] = field(default_factory=set)
    state: str = "wanted"  # wanted | starting | ready | failed | stopped
    id: str = ""
    starts: int = 0
    since: float = 0.0
    not_before: float = 0.0
    url: str = ""
    why: str = ""
    taken: bool = False  # its port, by something else
    lent: bool = False  # by jobs that an earlier build left, which go on with it
    tail: tuple[str, ...] = ()


class Services:
    """All servers of a build, by name."""

    def __init__(
        self, workshop: Workshop, executors: Mapping[str, Executor], journal: Journal, secrets: Secrets,
        emit: Emit,
    ) -> None:  # fmt: skip
        self.workshop = workshop
        self.executors = executors
        self.journal = journal
        self.secrets = secrets
        self.emit = emit
        self.all: dict[str, Running] = {}

    def need(self, what: Served, user: str) -> None:
        """`user` will want the server."""
        self.all.setdefault(what.name, Running(what)).users.add(user)

    def adopt(self, entry: Entry) -> bool:
        """Take over a server that an interrupted build left running, if it is wanted as it is."""
        service = self.all.get(entry.name)
        if service is None or service.state != "wanted":
            return False
        if (service.what.action, service.what.executor) != (entry.action, entry.executor):
            return False
        service.state, service.id, service.since = "starting", entry.id, time.time()
        service.starts = 1
        return True

    def lend(self, name: str) -> None:
        """A server that was taken over is not to be stopped: others use it."""
        self.all[name].lent = True

    def urls(self, names: tuple[str, ...], crowd: bool) -> dict[str, tuple[str, str]] | None:
        """The jobs and the URLs of these servers once all are ready.

        Those that are not are started, together, where the `slots` of their executors allow it; with
        `crowd`, beyond them, but only while no other server is on its way.
        """
        down = [self.all[name] for name in names if self.all[name].state in ("wanted", "stopped")]
        if self._fit(down) or (crowd and not self.pending()):
            for service in down:
                self._start(service)
        return self.at(names)

    def at(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]] | None:
        """The jobs and the URLs of these servers if all are ready."""
        if all(self.all[name].state == "ready" for name in names):
            return {name: (self.all[name].id, self.all[name].url) for name in names}
        return None

    def failed(self, names: tuple[str, ...]) -> Running | None:
        """The first of these that cannot be had."""
        return next((self.all[n] for n in names if self.all[n].state == "failed"), None)

    def release(self, name: str, user: str) -> None:
        """`user` is done; the last one out stops the server."""
        service = self.all[name]
        service.users.discard(user)
        if not service.users:
            self._stop(service)

    def tick(self) -> bool:
        """Look after all servers; whether one is being waited for."""
        waiting = False
        for service in self.all.values():
            if service.state == "starting":
                waiting = True
                self._probe(service)
            elif service.state == "ready":
                self._watch(service)
            elif service.state == "wanted" and service.starts and service.users:
                self._start(service)  # who uses it is waiting for it
        return waiting

    def pending(self) -> bool:
        """Whether a server starts, or waits for a while before it is started again."""
        now = time.time()
        return any(
            service.state == "starting"
            or (service.state == "wanted" and service.users and service.not_before > now)
            for service in self.all.values()
        )

    def ids(self, names: tuple[str, ...]) -> dict[str, str]:
        """The jobs of these servers now, empty where there is none."""
        found = {name: self.all[name] for name in names}
        return {name: one.id if one.state in _UP else "" for name, one in found.items()}

    def alive(self, ids: Mapping[str, str]) -> bool:
        """Whether the servers are still the jobs `ids`, and run."""
        return ids == self.ids(tuple(ids)) and all(
            self._phase(self.all[name]) is Phase.RUNNING for name in ids
        )

    def stop_all(self) -> None:
        """End every server."""
        for service in self.all.values():
            self._stop(service)

    def failure(self, name: str) -> Diagnostic:
        """What to tell of a server that could not be had."""
        service = self.all[name]
        what, declared = service.what, service.what.declared
        waiting = sorted(service.users)
        notes = []
        if service.tail:
            notes.append("\n".join(["the last lines of its log were", *service.tail]))
        log = (
            f"; the whole log: evalmake logs {name}" if service.tail and what.is_deployment else ""
        )
        where = f" on executor {what.executor}" if what.is_deployment else ""
        notes.append(f"attempt {service.starts} of {_STARTS}{where}{log}")
        notes.append(
            f"{len(waiting)} evaluations wait for it: {', '.join(waiting[:3])}{', ...' * (len(waiting) > 3)}"
        )
        key, label, help = "", "", ""
        if "exit status 137" in service.why and what.is_deployment:
            key, label, help = "resources", "the limit it ran under", _KILLED
        elif service.taken:
            key, label, help = "port", "the port it was given", _TAKEN
        place = declared.fields.spans.get((key,))
        return problem(
            "service-failed",
            f"{what.title} {service.why}",
            declared.span,
            also=[(place.value, label)] if place else (),
            notes=notes,
            help=[help] if help else [],
        )

    def _start(self, service: Running) -> None:
        if time.time() < service.not_before:
            return
        what = service.what
        service.lent = False
        service.starts += 1
        id = service.id = f"{what.action[-12:]}.s{time.time_ns():x}"
        port = None if self._executor(service).offers.isolated else what.service.port
        holder = self._holder(port, service) if port else ""
        service.taken = bool(holder)
        if holder:
            self._lost(service, f"could not be started: {holder} listens on port {port}")
            return
        service.state, service.since = "starting", time.time()
        self._tell(service, "starting" if service.starts == 1 else "restarting")
        folder = str(self.workshop.folder(id))
        try:
            job = what.job(id)
            self.journal.write(
                Entry(id, what.name, what.kind, what.action, what.executor, folder, service.since)
            )
            self._executor(service).submit(job, self.secrets.resolve(job.secrets))
        except (OSError, EvalmakeError) as error:
            self._lost(service, f"could not be started: {error}")

    def _fit(self, down: list[Running]) -> bool:
        """Whether these can be started too, by the declared `slots`: of servers only, as one that
        waited for an evaluation to end would wait for ever where that waits for it.
        """
        up = [s for s in self.all.values() if s.state in _UP]
        places = Counter(s.what.executor for s in up if s.what.is_deployment)
        wanted = Counter(s.what.executor for s in down if s.what.is_deployment)
        slots = {place: self.workshop.project.executors[place].block.slots for place in wanted}
        return all(not slots[p] or places[p] + count <= slots[p] for p, count in wanted.items())

    def _holder(self, port: int, service: Running) -> str:
        """What has a port that `service` is to listen on, empty where it is free."""
        for other in self.all.values():
            if other is not service and other.state in _UP and other.what.service.port == port:
                return other.what.title
        return "something else" if _listens(port) else ""

    def _probe(self, service: Running) -> None:
        state = self._executor(service).poll(service.id)
        if state.phase in (Phase.ENDED, Phase.UNKNOWN):
            spent = _spent(time.time() - service.since)
            self._lost(service, f"stopped before it was ready: {_how(state)} after {spent}")
            return
        spec = service.what.service
        port = spec.port or _read_port(self.workshop.folder(service.id) / spec.port_file)
        place = self._executor(service).where(service.id, port) if port else None
        if place and _answers(*place, spec.health):
            service.state, service.url = "ready", f"http://{place[0]}:{place[1]}{spec.base}"
            self._tell(service, "ready", service.url)
        elif time.time() - service.since > service.what.ready:
            self._executor(service).cancel(service.id)
            self._lost(service, f"was not ready within {Duration(service.what.ready)}")

    def _watch(self, service: Running) -> None:
        state = self._executor(service).poll(service.id)
        if state.phase is not Phase.RUNNING:
            self._lost(service, f"died while it was used: {_how(state)}")

    def _lost(self, service: Running, why: str) -> None:
        """A server is gone: start it again within its budget, else give it up."""
        service.why = why
        log = self.workshop.folder(service.id) / "log"
        service.tail = tuple(self.secrets.hide_text(_tail(log)).splitlines()[-6:])
        self._put_away(service)
        service.not_before = time.time() + _FIRST_WAIT * 2 ** (service.starts - 1)
        service.state = "wanted" if service.starts < _STARTS else "failed"
        if service.state == "failed":
            self._tell(service, "failed", why)

    def _stop(self, service: Running) -> None:
        if service.state in _UP and not service.lent:
            self._executor(service).cancel(service.id)
            self._put_away(service)
            service.state = "stopped"
            service.starts = 0
            self._tell(service, "stopped")

    def _put_away(self, service: Running) -> None:
        """The last log of each server stays below `.evalmake/logs`, secrets hidden; its folder goes."""
        folder = self.workshop.folder(service.id)
        self._executor(service).fetch(service.id, folder)
        kept = self.workshop.root / "logs" / f"{service.what.name}.log"
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(self.secrets.hide((folder / "log").read_bytes()))
        shutil.rmtree(folder, ignore_errors=True)
        self.journal.remove(service.id)

    def _tell(self, service: Running, state: str, detail: str = "") -> None:
        if service.what.is_deployment:
            self.emit(ServiceChanged(service.what.name, state, detail))

    def _phase(self, service: Running) -> Phase:
        return self._executor(service).poll(service.id).phase

    def _executor(self, service: Running) -> Executor:
        return self.executors[service.what.executor]


def _how(state: JobState) -> str:
    return state.detail if state.status is None else f"exit status {state.status}"


def _spent(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds < 120 else f"{seconds / 60:.0f}m"


def _read_port(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def _answers(host: str, port: int, health: str) -> bool:
    """Whether GET `health` gives a 2xx within half a second."""
    connection = http.client.HTTPConnection(host, port, timeout=0.5)
    try:
        connection.request("GET", health)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tail(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[-4000:]
    except OSError:
        return ""
