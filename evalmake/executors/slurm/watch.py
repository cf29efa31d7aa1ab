"""The thread beside: what is submitted goes out in batches, what runs is looked at, what is to end is ended.

One `Condition` guards all that both threads touch. Slurm is asked by this thread alone.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalmake.executors.bell import Bell
from evalmake.executors.slurm.batches import Batch, new_batch, new_folder
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.commands import Full
from evalmake.executors.slurm.endings import Endings
from evalmake.executors.slurm.recovery import find, recovered, remove
from evalmake.executors.slurm.script import batch_script
from evalmake.executors.slurm.shell import Refused
from evalmake.executors.slurm.states import Seen, state_of
from evalmake.planner.ports import Job, JobState, Phase

_SOON = 1.0  # seconds between two looks while things change
_SLOWER = 1.4
_TAIL = 4000
_BEFORE = "cancelled before it was submitted"
_BROUGHT = ("progress.json", "port", "log", "gateway/usage.json", "gateway-judge/usage.json")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job whose folder is written, and what it asks of Slurm."""

    job: Job
    asks: tuple[str, ...]
    secrets: Mapping[str, str]

    @property
    def sort(self) -> tuple[tuple[str, ...], int | None]:
        """Jobs of one sort may be one array: what they ask is the same, and so is their limit."""
        return self.asks, self.job.slots


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
        self._held: list[tuple[Batch, list[Prepared]]] = []  # what could not be handed over yet
        self._batches: dict[str, Batch] = {}  # by the ids of their jobs
        self._states: dict[str, JobState] = {}
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
            self._states[id] = JobState(Phase.QUEUED, None, "is being submitted", held=True)
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
            if self._ready or self._batches or self._held:
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
            self._states.pop(id, None)
            self._told.pop(id, None)
            batch = self._batches.pop(id, None)
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
        name = f"slurm-{batch.ids.index(id)}.out"
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
                ready, self._ready = self._ready, {}
            away = ""
            try:
                self._drop(ready)
                self._hand_over(list(ready.values()))
                self._look()
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
        for sort in {one.sort: None for one in ready}:
            some = [one for one in ready if one.sort == sort]
            try:
                held += self._batched(some)
            except OSError as error:
                self._tell(some, JobState(Phase.REFUSED, None, str(error)))
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

    def _still_wanted(self) -> list[tuple[Batch, list[Prepared]]]:
        """Batches that were not taken yet, less those of which every job is to end."""
        wanted = []
        for batch, jobs in self._held:
            if self._doomed.issuperset(batch.ids):
                self._tell(jobs, JobState(Phase.ENDED, 143, _BEFORE))
            else:
                wanted.append((batch, jobs))
        return wanted

    def _batched(self, ready: list[Prepared]) -> list[tuple[Batch, list[Prepared]]]:
        """Write down batches of jobs of one sort; the limit of each is its share of `slots`."""
        size, (asks, slots) = self._of.settings.array, ready[0].sort
        parts = [ready[at : at + size] for at in range(0, len(ready), size)]
        at_once = max(1, slots // len(parts)) if slots else None
        comment = self._of.settings.comment or "evalmake"
        made = []
        for part in parts:
            folder = new_folder(self._of.root)
            ids = [one.job.id for one in part]
            name = self._of.name(folder.name)
            batch = new_batch(folder, ids, batch_script(name, asks, comment, ids, at_once))
            with self._changed:
                self._batches |= dict.fromkeys(ids, batch)
            made.append((batch, part))
        return made

    def _submit(self, batch: Batch, jobs: list[Prepared]) -> None:
        if not (batch.tried and find(self._of, batch)):
            folders = self._of.folders
            folders.send(batch.folder, [(one.job, one.secrets) for one in jobs])
            batch.tried = True
            batch.submitted(self._of.commands.submit(folders.of(batch.folder.name)))
        self._tell(jobs, JobState(Phase.QUEUED))
        self._pace = _SOON

    def _tell(self, jobs: Iterable[Prepared], state: JobState) -> None:
        for one in jobs:
            self._set(one.job.id, state)

    def _look(self) -> None:
        """Ask squeue for all that is out, and the folders of what it shows no more."""
        out = {id: b for id, b in self._batches.items() if b.slurm and not self._over(id)}
        if not out:
            return
        if doomed := self._doomed & out.keys():
            ids = {id: slurm for b in {out[id] for id in doomed} for id, slurm in b.slurm_ids()}
            self._of.commands.cancel([ids[id] for id in doomed])
        names = {self._of.name(batch.folder.name) for batch in out.values()}
        queue = self._of.commands.queue(names)
        nodes = self._troubled([seen for b in set(out.values()) for id, slurm in b.slurm_ids()
                                if id in out and (seen := queue.get(slurm))])  # fmt: skip
        gone: dict[str, Seen | None] = {}
        running = []
        for batch in set(out.values()):
            for id, slurm in batch.slurm_ids():
                seen = queue.get(slurm)
                state = state_of(seen, nodes) if seen else None
                if id not in out:
                    continue
                if state is None or state.phase is Phase.ENDED:
                    gone[id] = seen
                else:
                    self._endings.back(id)
                    self._set(id, state)
                    running += [id] if state.phase is Phase.RUNNING else []
        self._replace_files()
        self._of.folders.look(
            [*running, *gone], _BROUGHT
        )  # of what has just ended, for the last time
        own = {id: self._slurm_id(id) for id in gone}
        ended = self._endings.of(gone, own, queue, nodes, self._doomed)
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

    def _slurm_id(self, id: str) -> str:
        return dict(self._batches[id].slurm_ids())[id]

    def _over(self, id: str) -> bool:
        return self._states[id].phase in (Phase.ENDED, Phase.REFUSED)

    def _set(self, id: str, state: JobState) -> None:
        with self._changed:
            if self._states.get(id) != state:
                self._states[id] = state
                self._pace = _SOON
                self._changed.notify_all()
