"""The thread beside: what is submitted goes out in batches, what runs is looked at, what is to end is ended.

One `Condition` guards all that both threads touch. Slurm is asked by this thread alone.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from evalmake.executors.remote.wakeup import Wakeup
from evalmake.executors.slurm import array_slots, colocation
from evalmake.executors.slurm.batch import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.job_ends import Endings
from evalmake.executors.slurm.job_states import Seen, state_of
from evalmake.executors.slurm.login_shell import Refused
from evalmake.executors.slurm.prepared_batch import Prepared
from evalmake.executors.slurm.recovery import end_left, recovered, remove
from evalmake.executors.slurm.submission import BEFORE, Outbox
from evalmake.plugin_api.executor import JobState, Phase

_SOON = 1.0  # seconds between two looks while things change
_SLOWER = 1.4
_TAIL = 4000
_BROUGHT = ("progress.json", "port", "log", "gateway/usage.json", "gateway-judge/usage.json")


class Watch:
    """What is known of a cluster's jobs."""

    def __init__(self, cluster: Cluster) -> None:
        self._of = cluster
        self._changed = threading.Condition()
        self._bell = Wakeup()
        self._thread: threading.Thread | None = None
        self._known = False
        self._stopped = False
        self._ready: dict[str, Prepared] = {}  # written, not handed over yet
        self._batches: dict[str, Batch] = {}  # by the ids of their jobs
        self._states: dict[str, JobState] = {}
        self._forgotten: dict[str, JobState] = {}  # those that had guests
        self._left: tuple[list[Batch], list[Batch]] = [], []  # of earlier builds, to be tidied
        self._outbox = Outbox(cluster, self._batches, self._changed, self._live, self._tell)
        self._endings = Endings(cluster, self.said)
        self._doomed: set[str] = set()
        self._unended: dict[str, str] = {}  # what Slurm would not end, and why
        self._told: dict[str, Mapping[str, str]] = {}  # new texts for files of jobs, to be sent
        self._brought: set[str] = set()
        self._bringing = threading.Lock()
        self._away = ""
        self._next = 0.0
        self._pace = _SOON

    # What the scheduler asks ----------------------------------------------------------------------

    def add(self, prepared: Prepared) -> None:
        """Submit with the next batch; what earlier builds left is known by then."""
        with self._changed:
            if not self._known:
                self._recover()
            self._tidy()
            id = prepared.job.id
            self._states[id] = JobState(Phase.QUEUED, unsubmitted=True)
            self._ready[id] = prepared
            self._doomed.discard(id)

    def state(self, id: str) -> JobState:
        """What was last seen; the first time, jobs of earlier builds are looked for."""
        self._bell.clear()
        with self._changed:
            if id not in self._states and not self._known:
                try:
                    self._recover()
                except OSError as error:
                    self._away = str(error)
                    return JobState(Phase.UNREACHABLE, None, self._away)
            if self._ready or self._batches or self._outbox.waits:
                self._begin()
            state = self._states.get(id)
            if state is None:
                return JobState(Phase.UNKNOWN)
            if state.phase is Phase.REFUSED:
                self.forget(id)
                return state
            if self._away and state.phase is not Phase.ENDED:
                return JobState(Phase.UNREACHABLE, None, self._away, state.facts)
            return state

    def end(self, id: str) -> None:
        """Have a job ended, and wait until it is over; ConnectionError where that cannot be said."""
        seen = self.state(id)
        with self._changed:
            if not self._known:
                raise ConnectionError(seen.detail)
            self._tidy()
            if seen.is_over:
                return
            self._doomed.add(id)
            self._next, self._pace = 0.0, _SOON
            self._begin()
            while not self._states.get(id, JobState(Phase.UNKNOWN)).is_over:
                self._changed.wait(0.5)
                if why := self._away or self._unended.get(id):
                    raise ConnectionError(why)

    def update_files(self, id: str, files: Mapping[str, str]) -> None:
        """Have files in the folder of a running job replaced, as soon as can be."""
        with self._changed:
            self._told[id] = files
            self._next, self._pace = 0.0, _SOON
            self._begin()

    def forget(self, id: str) -> None:
        """A job's outputs are here; its batch goes with the last."""
        with self._changed:
            state = self._states.pop(id, None)
            self._told.pop(id, None)
            batch = self._batches.pop(id, None)
            if state and any(other.host == id for other in self._batches.values()):
                self._forgotten[id] = state
            self._tidy()
        if batch is None:
            return
        batch.left.discard(id)
        self._brought.discard(id)
        if not batch.left:
            remove(self._of, batch)

    def bring(self, id: str) -> None:
        """Have a job's outputs here, and by the same copy those of all others that have ended."""
        with self._bringing:
            if id in self._brought:
                return
            with self._changed:
                ended = [one for one in self._batches if one == id or self._over(one)]
            wanted = [one for one in ended if one not in self._brought]
            self._of.folders.gather(wanted, self._of.python)
            self._of.folders.bring(wanted)
            self._brought.update(wanted)

    def said(self, id: str) -> bytes:
        """What Slurm printed of a job itself, as when it ended it."""
        if (batch := self._batches.get(id)) is None:
            return b""
        name = f"slurm-{batch.place(id)}.out"
        return self._of.folders.tail(batch.folder.name, name, _TAIL)

    def scripts(self, id: str) -> list[Path]:
        """The script of its batch."""
        batch = self._batches.get(id)
        return [batch.folder / "batch.sh"] if batch else []

    def waitables(self) -> list[int]:
        """One descriptor while there is something to wait for."""
        return [self._bell.fileno()] if self._states else []

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(5)

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
                ready = self._outbox.take_kept() | self._ready
                self._ready = {}
            away = ""
            try:
                self._drop(ready)
                self._outbox.hand_over(ready.values(), self._doomed)
                self._look()
                self._widen()
            except Exception as error:  # nobody would wait for a thread that is dead
                away = str(error) if isinstance(error, OSError) else repr(error)
            with self._changed:
                if away:
                    here = self._states.keys() - self._batches.keys()  # not handed over in vain
                    again = [id for id in here & ready.keys() if not self._over(id)]
                    self._outbox.kept |= {id: ready[id] for id in again}
                self._away = away
                busy = self._pace == _SOON
                self._next = time.monotonic() + self._pace
                self._pace = min(self._pace * _SLOWER, self._of.settings.poll.seconds)
                self._changed.notify_all()
            if busy or away:
                self._bell.wake()

    def _drop(self, ready: dict[str, Prepared]) -> None:
        """What was cancelled before it was handed over never was."""
        for id in self._doomed & ready.keys():
            del ready[id]
            self._set(id, BEFORE)

    def _live(self) -> Counter[Batch]:
        """How many jobs of each batch are not over."""
        with self._changed:
            return Counter(batch for id, batch in self._batches.items() if not self._over(id))

    def _widen(self) -> None:
        """Let arrays have what others have left, unless there are jobs that wait for it."""
        if self._outbox.kept:
            return
        for batch, at_once in array_slots.wider(self._live()):
            if batch.slurm:
                batch.limited(batch.limits, at_once)
                self._of.commands.widen(batch.slurm, at_once)

    def _tell(self, jobs: Iterable[Prepared], state: JobState) -> None:
        for one in jobs:
            self._set(one.job.id, state)

    def _look(self) -> None:
        """See how all that is out stands; those within others after these."""
        with self._changed:
            out = {id: b for id, b in self._batches.items() if b.slurm and not self._over(id)}
        if own := {id: batch for id, batch in out.items() if not batch.host}:
            self._look_at_slurm(own)
        if within := {id: batch for id, batch in out.items() if batch.host}:
            self._look_at_guests(within)

    def _look_at_guests(self, out: Mapping[str, Batch]) -> None:
        """The folders of jobs within others tell how they stand; or how these were before."""
        if doomed := self._doomed & out.keys():
            colocation.end(self._of, [(id, out[id]) for id in doomed])
        hosts = {batch.host for batch in out.values()}
        known = {host: self._states.get(host) or self._forgotten.get(host) for host in hosts}
        running = []
        for id, told in self._of.folders.ended(out).items():
            state = colocation.state_of(told, known[out[id].host])
            lost = state.phase is Phase.ENDED and state.status is None
            self._set(id, self._endings.by_slurm(id, state, self._doomed) if lost else state)
            running += [id] if state.phase is Phase.RUNNING else []
        self._of.folders.look(running, _BROUGHT)

    def _look_at_slurm(self, out: Mapping[str, Batch]) -> None:
        """Ask squeue for all jobs, and the folders of what it shows no more."""
        ids = {id: batch.slurm_id(id) for id, batch in out.items()}
        self._unended = {}
        if doomed := self._doomed & out.keys():
            try:
                self._of.commands.cancel([ids[id] for id in doomed])
            except Refused as error:
                self._unended = dict.fromkeys(doomed, f"Slurm does not end it: {error}")
        names = {self._of.name(batch.folder.name) for batch in out.values()}
        queue = self._of.commands.queue(names)
        nodes = self._troubled(seen for slurm in ids.values() if (seen := queue.get(slurm)))
        gone: dict[str, Seen | None] = {}
        running = []
        for id, slurm in ids.items():
            seen = queue.get(slurm)
            state = state_of(seen, nodes) if seen else None
            if state is None or state.phase is Phase.ENDED:
                gone[id] = seen
            else:
                self._endings.back(id)
                self._set(id, state)
                running += [id] if state.phase is Phase.RUNNING else []
        self._replace_files()
        just_ended = [*running, *gone]  # looked at for the last time
        self._of.folders.look(just_ended, _BROUGHT)
        ended = self._endings.of(gone, ids, queue, nodes, self._doomed)
        for id, known in ended.items():
            self._set(id, known)
        if len(ended) < len(gone):  # some may yet be heard of
            self._pace = _SOON

    def _troubled(self, seen: Iterable[Seen]) -> dict[str, str]:
        """The nodes in trouble, where some of these wait for such or were lost with one."""
        concerned = {one.partition for one in seen if one.for_its_nodes}
        with contextlib.suppress(Refused):
            return self._of.commands.troubled(concerned) if concerned else {}
        return {}

    def _replace_files(self) -> None:
        """Send what was told; a job that has ended by now needs it no more."""
        for id, files in list(self._told.items()):
            with contextlib.suppress(Refused):
                self._of.folders.replace(id, files)
            with self._changed:
                if self._told.get(id) is files:
                    del self._told[id]

    # Finding again --------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Find what earlier builds submitted: also what was on its way when they were killed."""
        self._left = recovered(self._of)
        for batch in self._left[0]:
            for id in batch.left:
                self._batches[id] = batch
                self._states.setdefault(id, JobState(Phase.QUEUED, None, "is looked for"))
        self._known = True
        if self._batches:
            self._look()

    def _tidy(self) -> None:
        """End and remove what earlier builds lost, or did not come to submit; only a build does so."""
        known, lost = self._left
        with contextlib.suppress(Refused):  # what Slurm will not end now is left to another build
            end_left(self._of, known, lost)
            for batch in lost:
                remove(self._of, batch)
        self._left = [], []

    def _over(self, id: str) -> bool:
        return self._states[id].phase in (Phase.ENDED, Phase.REFUSED)

    def _set(self, id: str, state: JobState) -> None:
        with self._changed:
            if self._states.get(id) != state:
                self._states[id] = state
                self._pace = _SOON
                self._changed.notify_all()
