"""The thread beside: what is submitted goes out in batches, what runs is looked at, what is to end is ended.

One `Condition` guards all that both threads touch. Slurm is asked by this thread alone.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from evalmake.executors.bell import Bell
from evalmake.executors.slurm import guests, slots
from evalmake.executors.slurm.batches import Batch
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.commands import Full
from evalmake.executors.slurm.endings import Endings
from evalmake.executors.slurm.prepared import Prepared, batched, parted
from evalmake.executors.slurm.recovery import find, recovered, remove
from evalmake.executors.slurm.shell import Refused
from evalmake.executors.slurm.states import Seen, state_of
from evalmake.planner.ports import JobState, Phase

_SOON = 1.0  # seconds between two looks while things change
_SLOWER = 1.4
_TAIL = 4000
_BEFORE = "cancelled before it was submitted"
_BROUGHT = ("progress.json", "port", "log", "gateway/usage.json", "gateway-judge/usage.json")


class Watch:
    """What is known of a cluster's jobs."""

    def __init__(self, cluster: Cluster) -> None:
        self._of = cluster
        self._changed = threading.Condition()
        self._bell = Bell()
        self._thread: threading.Thread | None = None
        self._known = False
        self._stopped = False
        self._ready: dict[str, Prepared] = {}  # written, not handed over yet
        self._kept: dict[str, Prepared] = {}  # beyond the limits of what runs
        self._held: list[tuple[Batch, list[Prepared]]] = []  # what could not be handed over yet
        self._batches: dict[str, Batch] = {}  # by the ids of their jobs
        self._states: dict[str, JobState] = {}
        self._forgotten: dict[str, JobState] = {}  # those that had guests
        self._lost: list[Batch] = []
        self._endings = Endings(cluster, self.said)
        self._doomed: set[str] = set()
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
            self._states[id] = JobState(Phase.QUEUED, held=True)
            self._ready[id] = prepared
            self._doomed.discard(id)

    def state(self, id: str) -> JobState:
        """What was last seen; the first time, jobs of earlier builds are looked for."""
        self._bell.hush()
        with self._changed:
            if id not in self._states and not self._known:
                try:
                    self._recover()
                except OSError as error:
                    self._away = str(error)
                    return JobState(Phase.UNSEEN, None, self._away)
            if self._ready or self._kept or self._batches or self._held:
                self._begin()
            state = self._states.get(id)
            if state is None:
                return JobState(Phase.UNKNOWN)
            if state.phase is Phase.REFUSED:
                self.forget(id)
                return state
            if self._away and state.phase is not Phase.ENDED:
                return JobState(Phase.UNSEEN, None, self._away, state.facts)
            return state

    def end(self, id: str) -> None:
        """Have a job ended, and wait until it is over; ConnectionError where that cannot be said."""
        over = self.state(id).over
        with self._changed:
            self._tidy()
            if over:
                return
            self._doomed.add(id)
            self._next, self._pace = 0.0, _SOON
            self._begin()
            while not self._states.get(id, JobState(Phase.UNKNOWN)).over:
                self._changed.wait(0.5)
                if self._away:
                    raise ConnectionError(self._away)

    def tell(self, id: str, files: Mapping[str, str]) -> None:
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
        batch = self._batches.get(id)
        if batch is None:
            return b""
        folder = shlex.quote(self._of.folders.of(batch.folder.name))
        name = f"slurm-{batch.place(id)}.out"
        if self._of.folders.near:
            path = batch.folder / name
            return path.read_bytes()[-_TAIL:] if path.exists() else b""
        return self._of.shell.run(f"tail -c {_TAIL} {folder}/{name} 2>/dev/null || true")

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
                ready = self._kept | self._ready
                self._kept, self._ready = {}, {}
            away = ""
            try:
                self._drop(ready)
                self._hand_over(list(ready.values()))
                self._look()
                self._widen()
            except OSError as error:
                away = str(error)
            with self._changed:
                self._away = away
                busy = self._pace == _SOON
                self._next = time.monotonic() + self._pace
                self._pace = min(self._pace * _SLOWER, self._of.settings.poll.seconds)
                self._changed.notify_all()
            if busy or away:
                self._bell.ring()

    def _drop(self, ready: dict[str, Prepared]) -> None:
        """What was cancelled before it was handed over never was."""
        for id in self._doomed & ready.keys():
            del ready[id]
            self._set(id, JobState(Phase.ENDED, 143, _BEFORE))

    def _hand_over(self, ready: list[Prepared]) -> None:
        held, self._held = self._still_wanted(), []
        ready = sorted(ready, key=lambda one: (len(one.job.name), one.job.name))  # as people count
        parts = list(parted(ready, self._of.settings.array))
        limits = [part[0].limits for part in parts]
        given = slots.shares(map(len, parts), limits, slots.taken(self._live()))
        for part, share in zip(parts, given, strict=True):
            if share == 0:
                self._keep(part)
                continue
            try:
                batch = batched(self._of, part, share)
            except OSError as error:
                self._tell(part, JobState(Phase.REFUSED, None, str(error)))
                continue
            with self._changed:
                self._batches |= dict.fromkeys(batch.ids, batch)
            held.append((batch, part))
        for at, (batch, jobs) in enumerate(held):
            try:
                self._submit(batch, jobs)
            except Full as error:
                self._held += held[at:]
                rest = [one for _, some in held[at:] for one in some]
                self._tell(
                    rest,
                    JobState(Phase.QUEUED, None, f"Slurm takes no more now: {error}", held=True),
                )
                return
            except ConnectionError:
                self._held += held[at:]
                raise
            except OSError as error:
                self._tell(jobs, JobState(Phase.REFUSED, None, str(error)))

    def _keep(self, part: list[Prepared]) -> None:
        with self._changed:
            self._kept |= {one.job.id: one for one in part}
        self._tell(part, JobState(Phase.QUEUED, None, slots.FULL, held=True))

    def _live(self) -> Counter[Batch]:
        """How many jobs of each batch are not over."""
        with self._changed:
            return Counter(batch for id, batch in self._batches.items() if not self._over(id))

    def _widen(self) -> None:
        """Let arrays have what others have left, unless there are jobs that wait for it."""
        if self._kept:
            return
        for batch, at_once in slots.wider(self._live()):
            if batch.slurm:
                batch.limited(batch.limits, at_once)
                self._of.commands.widen(batch.slurm, at_once)

    def _still_wanted(self) -> list[tuple[Batch, list[Prepared]]]:
        """Batches that were not taken yet, less those of which every job is to end."""
        wanted = []
        for batch, jobs in self._held:
            if self._doomed.issuperset(batch.ids):
                self._tell(jobs, JobState(Phase.ENDED, 143, _BEFORE))
            else:
                wanted.append((batch, jobs))
        return wanted

    def _submit(self, batch: Batch, jobs: list[Prepared]) -> None:
        if not (batch.tried and find(self._of, batch)):
            folders = self._of.folders
            folders.send(batch.folder, [(one.job, one.secrets) for one in jobs])
            batch.tried = True
            if not batch.host:
                batch.submitted(self._of.commands.submit(folders.of(batch.folder.name)))
            elif guests.hand_over(self._of, batch, min(jobs[0].job.limits.values(), default=None)):
                batch.submitted(batch.host)
            else:
                self._tell(jobs, guests.LOST)
                return
        self._tell(jobs, JobState(Phase.QUEUED))
        self._pace = _SOON

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
            guests.end(self._of, [(id, out[id]) for id in doomed])
        hosts = {batch.host for batch in out.values()}
        known = {host: self._states.get(host) or self._forgotten.get(host) for host in hosts}
        running = []
        for id, told in self._of.folders.ended(out).items():
            state = guests.state_of(told, known[out[id].host])
            lost = state.phase is Phase.ENDED and state.status is None
            self._set(id, self._endings.by_slurm(id, state, self._doomed) if lost else state)
            running += [id] if state.phase is Phase.RUNNING else []
        self._of.folders.look(running, _BROUGHT)

    def _look_at_slurm(self, out: Mapping[str, Batch]) -> None:
        """Ask squeue for all jobs, and the folders of what it shows no more."""
        ids = {id: batch.slurm_id(id) for id, batch in out.items()}
        if doomed := self._doomed & out.keys():
            self._of.commands.cancel([ids[id] for id in doomed])
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
        found, self._lost = recovered(self._of)
        for batch in found:
            for id in batch.left:
                self._batches[id] = batch
                self._states.setdefault(id, JobState(Phase.QUEUED, None, "is looked for"))
        self._known = True
        if self._batches:
            self._look()

    def _tidy(self) -> None:
        """Remove what earlier builds did not come to submit; only a build does so."""
        for batch in self._lost:
            remove(self._of, batch)
        self._lost = []

    def _over(self, id: str) -> bool:
        return self._states[id].phase in (Phase.ENDED, Phase.REFUSED)

    def _set(self, id: str, state: JobState) -> None:
        with self._changed:
            if self._states.get(id) != state:
                self._states[id] = state
                self._pace = _SOON
                self._changed.notify_all()
