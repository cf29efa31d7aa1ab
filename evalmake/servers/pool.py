"""Servers: each started once, when the first that needs it is ready; probed; shared; stopped last.

A deployment has one server or several. It is ready when the first answers, so that none waits for the
slowest, and the others join in; it has failed when there is none left. Those beyond the first are
started where there is room for them.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Executor, JobState, Phase
from evalmake.run.events import Emit, ServerPending, ServerStateChanged
from evalmake.run.gateways.host_gateways import At, Place
from evalmake.run.gpus import Gpus
from evalmake.run.job_builder import JobBuilder
from evalmake.run.log_tail import ending, last_lines
from evalmake.run.secrets import Secrets
from evalmake.servers.failure import Server, failure, how, spent
from evalmake.servers.readiness import listens, read_port, unanswered
from evalmake.servers.spec import ServerSpec
from evalmake.store.journal import Journal, JournalEntry

_STARTS = 3
_EXCUSED = 5  # times in a row that a server may be lost through no fault of its own
_FIRST_WAIT = 0.5
_PATIENCE = 60
_SELDOM = 1.0  # seconds between two questions whether a server is ready, at most
_UP = ("starting", "ready")
_DOWN = ("wanted", "stopped")


class ServerPool:
    """All servers of a build, by name."""

    def __init__(
        self,
        job_builder: JobBuilder,
        executors: Mapping[str, Executor],
        journal: Journal,
        secrets: Secrets,
        emit: Emit,
    ) -> None:
        self.job_builder = job_builder
        self.executors = executors
        self.journal = journal
        self.secrets = secrets
        self.emit = emit
        self.gpus = Gpus(executors)
        self.all: dict[str, Server] = {}
        self.groups: dict[str, list[Server]] = {}

    def need(self, what: ServerSpec, user: str) -> None:
        """`user` will want the server."""
        if what.name not in self.all:
            self.all[what.name] = Server(what)
            self.groups.setdefault(what.group, []).append(self.all[what.name])
        self.all[what.name].users.add(user)

    def adopt(self, entry: JournalEntry) -> bool:
        """Take over a server that an interrupted build left running, if it is wanted as it is."""
        service = self.all.get(entry.name)
        if service is None or service.state != "wanted":
            return False
        if (service.what.action, service.what.executor) != (entry.action, entry.executor):
            return False
        service.state, service.id, service.since = "starting", entry.id, time.time()
        service.starts, service.begun = 1, entry.started
        self.gpus.claim(entry.name, entry.executor, entry.gpus)
        return True

    def lend(self, name: str) -> None:
        """A server that was taken over is not to be stopped: others use it."""
        self.all[name].lent = True
        self.gpus.lend(name)

    def urls(self, names: tuple[str, ...], crowd: bool, executor: str, gpus: int) -> At | None:
        """The jobs and the URLs of these, once all are ready and the user's own GPUs are free.

        Those that are not are started, together, where the GPUs and `slots` of their executors allow
        it; with `crowd`, beyond the slots, and by stopping what others will need again, but only while
        no server is on its way.
        """
        down = [one for name in names if (one := self._first_down(name)) is not None]
        wanted = Counter({executor: gpus})
        for service in down:
            if not self.gpus.held(service.what.name):
                wanted[service.what.executor] += service.what.gpus
        crowd = crowd and not self.pending()
        if crowd:
            self._make_room(names, wanted)
        if not self.gpus.fit(wanted):
            return None
        if self._fit(down) or crowd:
            for service in down:
                self._start(service)
            self._start_more(names)
        return self.at(names)

    def _first_down(self, name: str) -> Server | None:
        """A server to start for what has none."""
        group = self.groups[name]
        if any(one.state in _UP for one in group):
            return None
        return next((one for one in group if one.state in _DOWN), None)

    def _start_more(self, names: tuple[str, ...]) -> None:
        """Start further servers of what has one that is ready or on its way."""
        for service in (one for name in names for one in self.groups[name][1:]):
            wanted = {service.what.executor: service.what.gpus}
            if service.state in _DOWN and self._fit([service]) and self.gpus.fit(wanted):
                self._start(service)

    def _make_room(self, names: tuple[str, ...], wanted: Mapping[str, int]) -> None:
        """Stop servers until so many GPUs are free, keeping one of each that is needed now."""
        kept = {id(next((one for one in self.groups[n] if one.state in _UP), None)) for n in names}
        for service in self.all.values():
            if self.gpus.fit(wanted):
                return
            if id(service) not in kept and service.what.gpus and wanted[service.what.executor]:
                self._stop(service)
        if not self.gpus.fit(wanted):
            self.gpus.overlook()

    def at(self, names: tuple[str, ...]) -> At | None:
        """The jobs and the URLs of those servers of these that are ready, if each has one."""
        found = {name: [one.place for one in self.groups[name] if one.state == "ready"] for name in names}
        return found if all(found.values()) else None

    def failed(self, names: tuple[str, ...]) -> Server | None:
        """A server of the first of these that cannot be had."""
        groups = (self.groups[name] for name in names)
        return next((g[0] for g in groups if all(one.state == "failed" for one in g)), None)

    def release(self, name: str, user: str) -> None:
        """`user` is done; the last one out stops the servers."""
        for service in self.groups[name]:
            service.users.discard(user)
            if not service.users:
                self._stop(service)

    def tick(self) -> None:
        """Look after all servers."""
        for service in self.all.values():
            if service.state == "starting":
                self._probe(service)
            elif service.state == "ready":
                self._watch(service)
            elif service.state == "wanted" and service.why and service.users:
                self._start(service)  # who uses it is waiting for it

    def pending(self) -> bool:
        """Whether a server starts, or waits for a while before it is started again."""
        now = time.time()
        return any(
            service.state == "starting" or (service.state == "wanted" and service.users and service.not_before > now)
            for service in self.all.values()
        )

    def ids(self, names: tuple[str, ...]) -> dict[str, str]:
        """The jobs of all servers of these now, by the servers' names; empty for what has none."""
        found: dict[str, str] = {}
        for name in names:
            up = [one for one in self.groups[name] if one.state in _UP]
            found |= {one.what.name: one.id for one in up} or {name: ""}
        return found

    def alive(self, ids: Mapping[str, str]) -> bool:
        """Whether the servers are still the jobs `ids`, and run."""
        return all(
            id and self.all[name].id == id and not self._executor(self.all[name]).poll(id).is_over
            for name, id in ids.items()
        )

    def facts(self, names: tuple[str, ...]) -> dict[str, str]:
        """What the record of an evaluation says of the servers that it asked."""
        return {
            f"deployment {name} {key}": value
            for name in names
            for one in self.groups[name]
            for key, value in one.facts.items()
        }

    def stop_all(self) -> None:
        """End every server."""
        for service in self.all.values():
            self._stop(service)

    def failure(self, name: str) -> Diagnostic:
        """What to tell of a server that could not be had."""
        return failure(self.all[name], _STARTS)

    def _start(self, service: Server) -> None:
        if time.time() < service.not_before:
            return
        what = service.what
        service.lent, service.ended = False, None
        service.starts += 1
        id = service.id = f"{what.action[-12:]}.s{time.time_ns():x}"
        port = None if self._executor(service).capabilities.private_network else what.service.port
        holder = self._holder(port, service) if port else ""
        service.taken = bool(holder)
        if holder:
            self._lost(service, f"could not be started: {holder} listens on port {port}")
            return
        service.state, service.since = "starting", time.time()
        service.begun = service.since
        folder = str(self.job_builder.job_folder(id))
        try:
            gpus = self.gpus.take(what.name, what.executor, what.gpus)
            job = replace(what.job(id), gpu_ids=gpus)
            self.journal.write(
                JournalEntry(id, what.name, what.kind, what.action, what.executor, folder, service.since, gpus)
            )
            self._executor(service).submit(job, self.secrets.resolve(job.secrets))
        except (OSError, EvalmakeError) as error:
            if isinstance(error, ConnectionError) and self._may_wait(service):
                return
            self._lost(service, f"could not be started: {error}")
            return
        if service.why:
            self._tell(service, "restarting", service.why, service.tail)
        else:
            self._tell(service, "starting")

    def _may_wait(self, service: Server) -> bool:
        """Whether a server that ran before is started in a while, when its executor can be reached."""
        service.put_off += 1
        if not service.why or service.put_off > _PATIENCE:
            return False
        self._put_away(service)
        service.starts -= 1
        service.state, service.not_before = "wanted", time.time() + 1
        return True

    def _fit(self, down: list[Server]) -> bool:
        """Whether these can be started too, by the declared `slots`: of servers only, as one that
        waited for an evaluation to end would wait for ever where that waits for it.
        """
        up = [s for s in self.all.values() if s.state in _UP]
        places = Counter(s.what.executor for s in up if s.what.is_deployment)
        wanted = Counter(s.what.executor for s in down if s.what.is_deployment)
        slots = {place: self.job_builder.project.executors[place].block.slots for place in wanted}
        return all(not slots[p] or places[p] + count <= slots[p] for p, count in wanted.items())

    def _holder(self, port: int, service: Server) -> str:
        """What has a port that `service` is to listen on, empty where it is free."""
        for other in self.all.values():
            if other is not service and other.state in _UP and other.what.service.port == port:
                return other.what.title
        return "something else" if listens(port) else ""

    def _probe(self, service: Server) -> None:
        state = self._executor(service).poll(service.id)
        if state.phase in (Phase.QUEUED, Phase.UNREACHABLE):
            service.since = time.time()
        lasted = time.time() - service.since
        if state.phase is Phase.REFUSED:
            self._lost(service, f"could not be started: {state.detail}")
            return
        if state.is_over:
            service.ended = state
            self._lost(service, f"stopped before it was ready, after {spent(lasted)}: {how(state)}")
            return
        if time.time() - service.asked < min(_SELDOM, lasted / 50):
            return  # a log is not to be full of questions
        service.asked = time.time()
        lacks = self._lacks(service) if state.phase is Phase.RUNNING else state.detail
        if state.phase is Phase.RUNNING and not lacks:
            service.state, service.facts = "ready", state.facts
            service.put_off = service.excused = 0
            self._tell(service, "ready", service.place.url)
        elif lasted > service.what.ready:
            self._end(service)
            why = f"was not ready within {Duration(service.what.ready)}"
            self._lost(service, f"{why}: {lacks}" if lacks else why)
        else:
            self._tell_how_far(service, state)

    def _lacks(self, service: Server) -> str:
        """Why a server that runs is not ready; empty, and its URL known, once it is."""
        spec = service.what.service
        port = spec.port or read_port(self.job_builder.job_folder(service.id) / spec.port_file)
        if port is None:
            return f"it wrote no port into `{spec.port_file}`"
        try:
            here = self._executor(service).url_from_host(service.id, port)
            inside = self._executor(service).url_from_jobs(service.id, port)
        except OSError as error:
            return str(error)
        service.place = Place(service.id, f"{here}{spec.base}", f"{inside}{spec.base}")
        said = unanswered(here, spec.health, self._key(service))
        return f"GET {spec.health} at port {port}: {said}" if said else ""

    def _key(self, service: Server) -> str:
        """What a server asks of those who use it."""
        names = {"key": service.what.key} if service.what.key else {}
        return self.secrets.resolve(names).get("key", "")

    def _watch(self, service: Server) -> None:
        state = self._executor(service).poll(service.id)
        if state.is_over:
            service.ended = state
            self._lost(service, f"died while it was used: {how(state)}")

    def _lost(self, service: Server, why: str) -> None:
        """A server is gone: start it again within its budget, else give it up.

        One whose node failed, or gave way to another's job, has lost no start by that.
        """
        service.why = why
        if service.ended is not None and service.ended.status is None:
            service.excused += 1
            service.starts -= service.excused <= _EXCUSED
        self._put_away(service)
        service.not_before = time.time() + _FIRST_WAIT * 2 ** max(0, service.starts - 1)
        service.state = "wanted" if service.starts < _STARTS else "failed"
        if service.state == "failed":
            self.gpus.give(service.what.name)
            self._tell(service, "failed", why)

    def _stop(self, service: Server) -> None:
        if service.lent:
            return
        if service.state in _UP:
            self._end(service)
            self._put_away(service)
            service.state, service.why = "stopped", ""
            service.starts = 0
            self._tell(service, "left running" if self._stays(service) else "stopped")
        self.gpus.give(service.what.name)

    def _stays(self, service: Server) -> bool:
        """Whether its executor keeps servers for later builds."""
        declared = self.job_builder.project.executors.get(service.what.executor)
        return declared is not None and bool(getattr(declared.settings, "keep", False))

    def _end(self, service: Server) -> None:
        with contextlib.suppress(OSError):
            self._executor(service).cancel(service.id)

    def _put_away(self, service: Server) -> None:
        """The last log of each server stays below `.evalmake/logs`, secrets hidden; its folder goes.

        One that is out of reach stays in the journal, by which the next build sees to it that it is gone.
        """
        folder, gone = self.job_builder.job_folder(service.id), True
        try:
            self._executor(service).fetch(service.id, folder)
        except OSError:
            gone = False
        kept = self.job_builder.root / "logs" / f"{service.what.name}.log"
        service.tail = ()
        with contextlib.suppress(OSError):
            log = self.secrets.redact((folder / "log").read_bytes())
            service.tail = last_lines(log)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(log)
        if gone:
            shutil.rmtree(folder, ignore_errors=True)
            self.journal.remove(service.id)

    def _tell(self, service: Server, state: str, detail: str = "", tail: tuple[str, ...] = ()) -> None:
        if service.what.is_deployment:
            self.emit(ServerStateChanged(service.what.name, state, detail, tail))

    def _tell_how_far(self, service: Server, state: JobState) -> None:
        """What a deployment does that is not ready, once a second: the last line of its log."""
        if not service.what.is_deployment or time.time() < service.told + 1:
            return
        service.told = time.time()
        doing = state.detail
        if state.phase is Phase.RUNNING:
            lines = last_lines(self.secrets.redact(ending(self.job_builder.job_folder(service.id) / "log")))
            doing = lines[-1] if lines else ""
        queued = state.phase is Phase.QUEUED and self._executor(service).capabilities.own_queue
        self.emit(ServerPending(service.what.name, doing, queued))

    def _executor(self, service: Server) -> Executor:
        return self.executors[service.what.executor]
