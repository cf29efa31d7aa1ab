"""Watches the jobs and endpoints of one workspace of Lepton: one request lists all jobs, another all endpoints."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from evalmake.executors.lepton.api import Api, Resource
from evalmake.executors.lepton.creation import Created, PreparedResource, create, discard
from evalmake.executors.lepton.http_client import QuotaReached
from evalmake.executors.lepton.job_states import describe_exit, explain_unfinished, facts_of, is_serving, job_state
from evalmake.executors.lepton.recovery import Leftovers, find_earlier, remove_created
from evalmake.executors.lepton.resource_names import endpoint_name
from evalmake.executors.lepton.volume import Volume
from evalmake.executors.remote.watch_loop import CANCELLED_UNSUBMITTED, LOST_AFTER, PROGRESS_FILES, WatchLoop
from evalmake.plugin_api.executor import JobState, Phase

_SHORTEST_PAUSE = 0.5
_CREATED_AT_ONCE = 8


class LeptonWatch(WatchLoop[PreparedResource]):
    """The known states of a workspace's jobs and endpoints."""

    def __init__(self, api: Api, volume: Volume | None, root: Path, longest_pause: float, keep: bool) -> None:
        super().__init__(_SHORTEST_PAUSE, longest_pause)
        self.api = api
        self.volume = volume
        self.root = root
        self.keep = keep
        self._removing = threading.Lock()
        self._is_building = False  # and does not only look
        self._leftovers = Leftovers()
        self._waiting: dict[str, PreparedResource] = {}  # what could not be created yet
        self._created: dict[str, Created] = {}
        self._missing_since: dict[str, float] = {}
        self._forgotten: set[str] = set()  # jobs of which nothing is left
        self._earlier_endpoints: dict[str, Resource] = {}  # by name

    # What the executor calls ----------------------------------------------------------------------

    def add(self, prepared: PreparedResource) -> None:
        """Create a job or endpoint in the next round."""
        with self.changed:
            self._is_building = True
            self._forgotten.discard(prepared.job.id)
            super().add(prepared)

    def endpoint_url(self, id: str) -> str:
        """Return the URL of an endpoint; empty until it is known."""
        created = self._created.get(id)
        return created.url if created else ""

    def read_log(self, id: str) -> bytes:
        """Return what Lepton has of the log of a job or endpoint."""
        created = self._created.get(id)
        return self.api.read_log("endpoints" if created.is_endpoint else "jobs", created.id) if created else b""

    def forget(self, id: str) -> None:
        """Drop a job whose outputs are here, and remove it from Lepton, unless it is to be kept."""
        if id in self._forgotten:
            return
        self.poll(id)
        created = self._created.get(id)
        if created is not None and not created.is_kept:
            remove_created(self.api, self.volume, id, created)
        with self.changed:
            self.forget_state(id)
            self._created.pop(id, None)
            self._earlier_endpoints.pop(endpoint_name(self.api.key, id), None)
            self._forgotten.add(id)
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Remove what earlier builds left. Do so only in a build or to end a job: others just look."""
        with self._removing:
            with self.changed:
                leftovers, self._leftovers = self._leftovers, Leftovers()
            try:
                leftovers.remove(self.api, self.volume)
            except OSError:
                with self.changed:
                    self._leftovers.add(leftovers)
                raise

    # What the loop calls --------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Return whether there is something to create or to look at."""
        return bool(self._waiting or self._created)

    def list_fetchable(self) -> Collection[str]:
        """Return the jobs, whose folders are on the volume; endpoints have none."""
        return [id for id, one in self._created.items() if not one.is_endpoint] if self.volume else []

    def copy_outputs(self, ids: Collection[str]) -> None:
        """Copy the folders of jobs from the volume. Later jobs get the replies of these."""
        if self.volume:
            self.volume.merge_all_replies(ids)
            self.volume.fetch(ids)

    def find_earlier_jobs(self) -> Iterable[str]:
        """Find the jobs and endpoints of earlier builds; endpoints are adopted once somebody asks for them."""
        found = find_earlier(self.api, self.volume, self.root, self._ready)
        self._created, self._earlier_endpoints, self._leftovers = found.jobs, found.endpoints, found.leftovers
        return list(found.jobs)

    def adopt(self, id: str) -> None:
        """Take over the endpoint that an earlier build started under this id, or under another for the same model."""
        if id in self.states or id in self._forgotten or not (self.root / id).is_dir():
            return
        seen = self._earlier_endpoints.get(endpoint_name(self.api.key, id))
        if seen is not None:
            self._created[id] = Created(seen.id, True, seen.secrets, seen.url)
            self.states[id] = JobState(Phase.RUNNING, None, seen.state, facts_of(seen))

    def submit_jobs(self, ready: dict[str, PreparedResource]) -> None:
        """Create what is ready, several at a time; what gets no answer is tried again in the next round."""
        with self.changed:
            self._waiting |= ready
        self._drop_cancelled()
        if self._is_building:
            self.remove_leftovers()
        self._send_folders()
        with ThreadPoolExecutor(_CREATED_AT_ONCE) as pool:
            errors = [error for error in pool.map(self._create, list(self._waiting.values())) if error]
        if errors:
            raise errors[0]

    def observe_jobs(self) -> None:
        """Look at all jobs and endpoints."""
        with self.changed:
            active = {id: one for id, one in self._created.items() if not self.is_finished(id)}
        if jobs := {id: one for id, one in active.items() if not one.is_endpoint}:
            self._observe_jobs(jobs)
        if endpoints := {id: one for id, one in active.items() if one.is_endpoint}:
            self._observe_endpoints(endpoints)

    # Creation -------------------------------------------------------------------------------------

    def _drop_cancelled(self) -> None:
        """Drop the cancelled jobs that surely were not created."""
        for id in self.cancelled & self._waiting.keys():
            if not self._waiting[id].maybe_created:
                discard(self.api, self.volume, self._waiting.pop(id))
                self.set_state(id, CANCELLED_UNSUBMITTED)

    def _send_folders(self) -> None:
        """Copy the folders of new jobs to the volume."""
        unsent = [one for one in self._waiting.values() if not (one.is_sent or one.body.is_endpoint)]
        if not unsent or not self.volume:
            return
        try:
            self.volume.send_jobs([(one.job, {}) for one in unsent])
        except OSError as error:
            for one in unsent:
                self._refuse(one, f"its folder cannot be copied to the volume: {error}")
        else:
            for one in unsent:
                one.is_sent = True

    def _create(self, one: PreparedResource) -> ConnectionError | None:
        """Create a job or endpoint; the error is that nobody answered."""
        id = one.job.id
        try:
            seen = create(self.api, one)
        except ConnectionError as error:
            one.maybe_created = True
            return error
        except QuotaReached as error:
            self.set_state(id, JobState(Phase.QUEUED, None, f"there is no room now: {error}", unsubmitted=True))
            return None
        except OSError as error:
            self._refuse(one, str(error))
            return None
        if seen is not None:
            with self.changed:
                del self._waiting[id]
                self._created[id] = Created(seen.id, one.body.is_endpoint, tuple(one.body.secrets), seen.url)
            phase = Phase.RUNNING if one.body.is_endpoint else Phase.QUEUED
            self.set_state(id, JobState(phase, None, seen.state, facts_of(seen)))
        return None

    def _refuse(self, one: PreparedResource, why: str) -> None:
        self._waiting.pop(one.job.id, None)
        discard(self.api, self.volume, one)
        self.set_state(one.job.id, JobState(Phase.REFUSED, None, why))

    # Jobs -----------------------------------------------------------------------------------------

    def _observe_jobs(self, jobs: Mapping[str, Created]) -> None:
        self._stop_cancelled(jobs)
        listed = self.api.jobs()
        self._discard_twins(listed, jobs)
        by_id = {seen.id: seen for seen in listed}
        gone: dict[str, Resource | None] = {}
        running = []
        for id, one in jobs.items():
            seen = by_id.get(one.id)
            state = job_state(seen) if seen else None
            if state is None:
                gone[id] = seen
            else:
                self._missing_since.pop(id, None)
                self.set_state(id, state)
                running += [id] if state.phase is Phase.RUNNING else []
        if self.volume:
            self.volume.copy_small_files(running, PROGRESS_FILES)
            self._observe_ended(self.volume, gone)

    def _stop_cancelled(self, jobs: Mapping[str, Created]) -> None:
        for id in self.cancelled & jobs.keys():
            if not jobs[id].is_stopping:
                self.api.stop_job(jobs[id].id)
                jobs[id].is_stopping = True

    def _discard_twins(self, listed: Iterable[Resource], jobs: Mapping[str, Created]) -> None:
        """Have second jobs of the same id removed: the request of a killed build took its time."""
        for seen in listed:
            if seen.job in jobs and seen.id != jobs[seen.job].id:
                with self.changed:
                    self._leftovers.jobs.add(seen.id)

    def _observe_ended(self, volume: Volume, gone: Mapping[str, Resource | None]) -> None:
        """Report how jobs ended: by their own exit status, or else by what Lepton says of them."""
        folders = volume.read_states(gone)
        for id, seen in gone.items():
            status = folders[id].status
            facts = (facts_of(seen) if seen else {}) | volume.machine_time(id)
            if status is not None:
                self.set_state(id, JobState(Phase.ENDED, status, describe_exit(status), facts))
            elif id in self.cancelled:
                self.set_state(id, JobState(Phase.ENDED, 143, "cancelled", facts))
            else:
                state = explain_unfinished(seen, self.api.events("jobs", seen.id) if seen else ())
                state = replace(state, facts=facts)
                is_known = state.detail.partition(":")[0] not in ("Completed", "Failed")
                if is_known or self._is_lost(id):
                    self.set_state(id, state)

    def _is_lost(self, id: str) -> bool:
        """Return whether the exit status of a job had time to be seen from here."""
        since = self._missing_since.setdefault(id, time.monotonic())
        self.look_again_soon()
        return time.monotonic() - since > LOST_AFTER

    # Endpoints ------------------------------------------------------------------------------------

    def _observe_endpoints(self, endpoints: Mapping[str, Created]) -> None:
        by_name = {seen.name: seen for seen in self.api.endpoints()}
        for id, one in endpoints.items():
            seen = by_name.get(one.id)
            one.url = seen.url if seen and seen.state == "Ready" else one.url
            if seen is None:
                self.set_state(id, JobState(Phase.ENDED, None, "it is gone from Lepton"))
            elif id in self.cancelled:
                self._end_endpoint(id, one, seen)
            elif is_serving(seen):
                self.set_state(id, JobState(Phase.RUNNING, None, seen.state, facts_of(seen)))
                if seen.state != "Ready":  # show what it prints while it loads
                    self._write_log(id, self.api.read_log("endpoints", one.id, tries=1))
            else:
                events = self.api.events("endpoints", one.id)[-1:]
                why = ": ".join([seen.state, *(part for event in events for part in event if part)])
                self._write_log(id, self.read_log(id))
                self.set_state(id, JobState(Phase.ENDED, None, why, facts_of(seen)))

    def _end_endpoint(self, id: str, one: Created, seen: Resource) -> None:
        """Copy the log of an endpoint here and remove it, unless it is to be kept."""
        one.is_kept = self.keep and is_serving(seen)
        if not one.is_kept:
            self._write_log(id, self.read_log(id))
            self.api.remove_endpoint(one.id)
        self.set_state(id, JobState(Phase.ENDED, 143, "cancelled", facts_of(seen)))

    def _write_log(self, id: str, log: bytes) -> None:
        with contextlib.suppress(OSError):
            (self.root / id / "log").write_bytes(log)
