"""The thread beside: what is submitted is made in Lepton, what runs is looked at, what is to end is ended.

One `Condition` guards all that both threads touch. One question asks for all jobs, and one for all
endpoints, ever more rarely while nothing changes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from evalmake.executors.lepton.api import Api, Seen
from evalmake.executors.lepton.creation import Out, Prepared, clear, made
from evalmake.executors.lepton.http_client import Full
from evalmake.executors.lepton.job_states import exited, facts, job_state, serves, unfinished
from evalmake.executors.lepton.recovery import Lost, recovered, remove
from evalmake.executors.lepton.resource_names import endpoint_name
from evalmake.executors.lepton.volume import Volume
from evalmake.executors.remote.wakeup import Wakeup
from evalmake.plugin_api.executor import JobState, Phase

_SOON = 0.5  # seconds between two looks while things change
_SLOWER = 1.4
_SETTLED = 20.0  # seconds in which a volume shows what was written on a node
_AT_ONCE = 8
_BEFORE = "cancelled before it was submitted"
_BROUGHT = ("progress.json", "port", "log", "gateway/usage.json", "gateway-judge/usage.json")


class Watch:
    """What is known of a workspace's jobs and endpoints."""

    def __init__(self, api: Api, volume: Volume | None, root: Path, poll: float, keep: bool) -> None:
        self.api = api
        self.volume = volume
        self.root = root
        self.poll = poll
        self.keep = keep
        self._changed = threading.Condition()
        self._copying = threading.Lock()
        self._tidying = threading.Lock()
        self._bell = Wakeup()
        self._thread: threading.Thread | None = None
        self._known = False
        self._builds = False  # and does not merely look
        self._lost = Lost()
        self._stopped = False
        self._ready: dict[str, Prepared] = {}
        self._held: dict[str, Prepared] = {}  # what could not be made yet
        self._out: dict[str, Out] = {}
        self._states: dict[str, JobState] = {}
        self._missing: dict[str, float] = {}
        self._doomed: set[str] = set()
        self._brought: set[str] = set()
        self._done: set[str] = set()  # of which nothing is left
        self._endpoints: dict[str, Seen] = {}  # that earlier builds left
        self._away = ""
        self._next = 0.0
        self._pace = _SOON

    # What the scheduler asks ----------------------------------------------------------------------

    def add(self, prepared: Prepared) -> None:
        """Make it with the others that are submitted now."""
        with self._changed:
            self._builds = True
            id = prepared.job.id
            self._states[id] = JobState(Phase.QUEUED, unsubmitted=True)
            self._ready[id] = prepared
            self._doomed.discard(id)
            self._done.discard(id)

    def state(self, id: str) -> JobState:
        """What was last seen; the first time, before anything is made, what earlier builds left is found.

        Who merely asks changes nothing in Lepton, on the volume or here: a build may be running.
        """
        self._bell.clear()
        with self._changed:
            if not self._known:
                try:
                    self._recover()
                except OSError as error:
                    return JobState(Phase.UNREACHABLE, None, str(error))
            self._take_endpoint(id)
            if self._ready or self._held or self._out:
                self._begin()
            state = self._states.get(id)
            if state is None:
                return JobState(Phase.UNKNOWN)
            if state.phase is Phase.REFUSED:
                self._states.pop(id)
                return state
            if self._away and state.phase is not Phase.ENDED:
                return JobState(Phase.UNREACHABLE, None, self._away, state.facts)
            return state

    def url(self, id: str) -> str:
        """Where an endpoint is reached; empty until that is known."""
        out = self._out.get(id)
        return out.url if out else ""

    def end(self, id: str) -> None:
        """Have a job ended, and wait until it is over; ConnectionError where that cannot be said."""
        seen = self.state(id)
        if seen.is_over:
            return
        with self._changed:
            self._doomed.add(id)
            if not self._known:
                raise ConnectionError(seen.detail)
            self._next, self._pace = 0.0, _SOON
            self._begin()
            while not self._states.get(id, JobState(Phase.UNKNOWN)).is_over:
                self._changed.wait(0.5)
                if self._away:
                    raise ConnectionError(self._away)

    def bring(self, id: str) -> None:
        """Have a job's outputs here, and by the same copy those of all others that have ended."""
        out = self._out.get(id)
        if not self.volume or out is None or out.serves:
            return
        with self._copying:
            if id in self._brought:
                return
            with self._changed:
                jobs = [one for one, out in self._out.items() if not out.serves]
                wanted = [i for i in jobs if i not in self._brought and (i == id or self._over(i))]
            self.volume.gather_all(wanted)
            self.volume.bring(wanted)
            self._brought.update(wanted)

    def said(self, id: str) -> bytes:
        """What Lepton has of the log of one that is out."""
        out = self._out.get(id)
        return self.api.log("endpoints" if out.serves else "jobs", out.id) if out else b""

    def forget(self, id: str) -> None:
        """What was wanted of it is here: nothing is left of it there, but for what is kept."""
        if id in self._done:
            return
        self.state(id)
        out = self._out.get(id)
        if out is not None and not out.kept:
            remove(self.api, self.volume, id, out)
        with self._changed:
            self._states.pop(id, None)
            self._out.pop(id, None)
            self._endpoints.pop(endpoint_name(self.api.key, id), None)
            self._done.add(id)
            self._brought.discard(id)
        self.tidy()

    def tidy(self) -> None:
        """Remove what earlier builds left and nobody wants any more; only who builds or ends does so."""
        with self._tidying:
            with self._changed:
                lost, self._lost = self._lost, Lost()
            try:
                lost.remove(self.api, self.volume)
            except OSError:
                with self._changed:
                    self._lost.jobs |= lost.jobs
                    self._lost.secrets |= lost.secrets
                    self._lost.folders |= lost.folders
                raise

    def waitables(self) -> list[int]:
        """One descriptor while there is something to wait for."""
        return [self._bell.fileno()] if self._states else []

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(10)

    # The thread -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stopped = False
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._stopped or self._ready or time.monotonic() >= self._next):
                    self._changed.wait(max(0.01, self._next - time.monotonic()))
                if self._stopped:
                    return
                self._held |= self._ready
                self._ready = {}
            away = ""
            try:
                self._drop()
                if self._builds:
                    self.tidy()
                self._make()
                self._look()
            except Exception as error:  # nobody would wait for a thread that is dead
                away = str(error) if isinstance(error, OSError) else repr(error)
            with self._changed:
                self._away = away
                busy = self._pace == _SOON
                self._next = time.monotonic() + self._pace
                self._pace = min(self._pace * _SLOWER, self.poll)
                self._changed.notify_all()
            if busy or away:
                self._bell.wake()

    def _drop(self) -> None:
        """What was cancelled before it was made never was."""
        for id in self._doomed & self._held.keys():
            one = self._held[id]
            if not one.tried:
                del self._held[id]
                clear(self.api, self.volume, one)
                self._set(id, JobState(Phase.ENDED, 143, _BEFORE))

    def _make(self) -> None:
        """Make all that is to be made, several at a time; one without an answer is tried again."""
        wanted = list(self._held.values())
        unsent = [one for one in wanted if not (one.sent or one.body.serves)]
        if unsent and self.volume:
            try:
                self.volume.send_all([(one.job, {}) for one in unsent])
            except OSError as error:
                for one in unsent:
                    self._refuse(one, f"its folder cannot be copied to the volume: {error}")
            else:
                for one in unsent:
                    one.sent = True
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            lost = [error for error in pool.map(self._make_one, list(self._held.values())) if error]
        if lost:
            raise lost[0]

    def _make_one(self, one: Prepared) -> ConnectionError | None:
        id = one.job.id
        try:
            seen = made(self.api, one)
        except ConnectionError as error:
            one.tried = True
            return error
        except Full as error:
            self._set(id, JobState(Phase.QUEUED, None, f"there is no room now: {error}", unsubmitted=True))
            return None
        except OSError as error:
            self._refuse(one, str(error))
            return None
        if seen is not None:
            with self._changed:
                del self._held[id]
                self._out[id] = Out(seen.id, one.body.serves, tuple(one.body.secrets), seen.url)
            phase = Phase.RUNNING if one.body.serves else Phase.QUEUED
            self._set(id, JobState(phase, None, seen.state, facts(seen)))
        return None

    def _refuse(self, one: Prepared, why: str) -> None:
        self._held.pop(one.job.id, None)
        clear(self.api, self.volume, one)
        self._set(one.job.id, JobState(Phase.REFUSED, None, why))

    def _look(self) -> None:
        """Ask for all that is out, and the folders of what is over."""
        with self._changed:
            out = {id: one for id, one in self._out.items() if not self._over(id)}
        jobs = {id: one for id, one in out.items() if not one.serves}
        if jobs:
            self._look_at_jobs(jobs)
        served = {id: one for id, one in out.items() if one.serves}
        if served:
            self._look_at_endpoints(served)

    def _look_at_jobs(self, out: Mapping[str, Out]) -> None:
        for id in self._doomed & out.keys():
            if not out[id].told:
                self.api.stop_job(out[id].id)
                out[id].told = True
        jobs = self.api.jobs()
        for twin in jobs:  # made by a killed build's request that took its time
            if twin.job in out and twin.id != out[twin.job].id:
                with self._changed:
                    self._lost.jobs.add(twin.id)
        there = {seen.id: seen for seen in jobs}
        gone: dict[str, Seen | None] = {}
        running = []
        for id, one in out.items():
            seen = there.get(one.id)
            state = job_state(seen) if seen else None
            if state is None:
                gone[id] = seen
            else:
                self._missing.pop(id, None)
                self._set(id, state)
                running += [id] if state.phase is Phase.RUNNING else []
        if self.volume:
            self.volume.look(running, _BROUGHT)
            self._conclude(self.volume, gone)

    def _conclude(self, volume: Volume, gone: Mapping[str, Seen | None]) -> None:
        """How jobs ended: their own exit status, or else what Lepton says of them."""
        folders = volume.ended(gone)
        for id, seen in gone.items():
            status = folders[id].status
            told = (facts(seen) if seen else {}) | volume.took(id)
            if status is not None:
                self._set(id, JobState(Phase.ENDED, status, exited(status), told))
            elif id in self._doomed:
                self._set(id, JobState(Phase.ENDED, 143, "cancelled", told))
            else:
                state = unfinished(seen, self.api.events("jobs", seen.id) if seen else ())
                state = replace(state, facts=told)
                if state.detail.partition(":")[0] not in ("Completed", "Failed") or self._waited(id):
                    self._set(id, state)

    def _look_at_endpoints(self, out: Mapping[str, Out]) -> None:
        there = {seen.name: seen for seen in self.api.endpoints()}
        for id, one in out.items():
            seen = there.get(one.id)
            one.url = seen.url if seen and seen.state == "Ready" else one.url
            if seen is None:
                self._set(id, JobState(Phase.ENDED, None, "it is gone from Lepton"))
            elif id in self._doomed:
                self._end_endpoint(id, one, seen)
            elif serves(seen):
                self._set(id, JobState(Phase.RUNNING, None, seen.state, facts(seen)))
                if seen.state != "Ready":  # what it prints while it is loading is shown
                    self._write_log(id, self.api.log("endpoints", one.id, tries=1))
            else:
                events = self.api.events("endpoints", one.id)[-1:]
                why = ": ".join([seen.state, *(part for event in events for part in event if part)])
                self._write_log(id, self.said(id))
                self._set(id, JobState(Phase.ENDED, None, why, facts(seen)))

    def _end_endpoint(self, id: str, one: Out, seen: Seen) -> None:
        """Its log comes here, and it goes, unless it is to be kept."""
        one.kept = self.keep and serves(seen)
        if not one.kept:
            self._write_log(id, self.said(id))
            self.api.remove_endpoint(one.id)
        self._set(id, JobState(Phase.ENDED, 143, "cancelled", facts(seen)))

    def _write_log(self, id: str, said: bytes) -> None:
        with contextlib.suppress(OSError):
            (self.root / id / "log").write_bytes(said)

    def _waited(self, id: str) -> bool:
        """Whether a job's exit status had time to be seen from here."""
        since = self._missing.setdefault(id, time.monotonic())
        self._pace = _SOON
        return time.monotonic() - since > _SETTLED

    # Finding again --------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Find what earlier builds made."""
        found = recovered(self.api, self.volume, self.root, self._ready)
        self._out, self._endpoints, self._lost = found.out, found.endpoints, found.lost
        for id in self._out:
            self._states.setdefault(id, JobState(Phase.QUEUED, None, "is looked for"))
        self._known = True
        if self._out:
            self._look()

    def _take_endpoint(self, id: str) -> None:
        """An endpoint that an earlier build began under this id, or another that served the same."""
        if id in self._states or id in self._done or not (self.root / id).is_dir():
            return
        seen = self._endpoints.get(endpoint_name(self.api.key, id))
        if seen is not None:
            self._out[id] = Out(seen.id, True, seen.secrets, seen.url)
            self._states[id] = JobState(Phase.RUNNING, None, seen.state, facts(seen))

    def _over(self, id: str) -> bool:
        return self._states.get(id, JobState(Phase.UNKNOWN)).phase in (Phase.ENDED, Phase.REFUSED)

    def _set(self, id: str, state: JobState) -> None:
        with self._changed:
            before = self._states.get(id)
            self._states[id] = state
            if before != state:
                self._pace = _SOON
                self._changed.notify_all()
