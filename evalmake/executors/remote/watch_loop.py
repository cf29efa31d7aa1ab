"""Watches the jobs of an executor that has a queue of its own.

Everything slow happens in one thread: it submits what is ready, looks at what runs and cancels what is to
end, again and again. It looks often while something changes, and ever more rarely while nothing does. The
scheduler is answered from what the thread saw last.

A subclass says how: `has_work`, `find_earlier_jobs`, `submit_jobs`, `observe_jobs`, `list_fetchable` and
`copy_outputs`. One `Condition`, `changed`, guards everything that both threads touch.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Generic, Protocol, TypeVar

from evalmake.executors.remote.wakeup import Wakeup
from evalmake.plugin_api.executor import Job, JobState, Phase

PROGRESS_FILES = (
    *("progress.json", "port", "log", "gateway/usage.json"),
    *("gateway-judge/usage.json", "gateway-embedder/usage.json"),
)
"""What a job's folder tells while the job runs, where that folder is not on this host."""
CANCELLED_UNSUBMITTED = JobState(Phase.ENDED, 143, "cancelled before it was submitted")
LOST_AFTER = 20.0
"""Seconds that shared file systems may take to show the exit status of a job."""
_SLOWDOWN = 1.4  # how much longer each pause is than the one before, while nothing changes
_STOP_TIMEOUT = 10.0
_CANCEL_TIMEOUT = 900.0
"""Seconds that a cancelled job may take to end: on a node that does not answer it may take hours."""
_UNKNOWN = JobState(Phase.UNKNOWN)


def require_answer(state: JobState) -> JobState:
    """Return a state; ConnectionError if it is not known because nobody answers."""
    if state.phase is Phase.UNREACHABLE:
        raise ConnectionError(state.detail)
    return state


class Prepared(Protocol):
    """A job that is ready to be submitted."""

    @property
    def job(self) -> Job:
        """The job."""


P = TypeVar("P", bound=Prepared)


class WatchLoop(ABC, Generic[P]):
    """The known states of one executor's jobs, and the thread that updates them."""

    def __init__(self, shortest_pause: float, longest_pause: float) -> None:
        """Pauses are seconds between two looks."""
        self.changed = threading.Condition()
        self.states: dict[str, JobState] = {}
        self.cancelled: set[str] = set()
        self._ready: dict[str, P] = {}
        self._wakeup = Wakeup()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._recovered = False
        self._unreachable = ""  # why nobody answered in the last round
        self._fetched: set[str] = set()
        self._fetching = threading.Lock()
        self._longest_pause = longest_pause
        self._shortest_pause = min(shortest_pause, longest_pause)
        self._pause = self._shortest_pause
        self._next_round = 0.0  # on the monotonic clock

    # What a subclass supplies ---------------------------------------------------------------------

    @abstractmethod
    def has_work(self) -> bool:
        """Return whether there is something to submit or to look at, apart from what `add` was just given."""

    @abstractmethod
    def find_earlier_jobs(self) -> Iterable[str]:
        """Find the jobs of earlier builds, without changing anything: another evalmake may be building."""

    @abstractmethod
    def submit_jobs(self, ready: dict[str, P]) -> None:
        """Submit `ready`, and what could not be submitted before, unless it is cancelled by now."""

    @abstractmethod
    def observe_jobs(self) -> None:
        """Cancel what is to end, look at all jobs and report their states with `set_state`."""

    @abstractmethod
    def list_fetchable(self) -> Collection[str]:
        """Return the jobs whose outputs are somewhere else."""

    @abstractmethod
    def copy_outputs(self, ids: Collection[str]) -> None:
        """Copy the outputs of these jobs to this host."""

    def use_free_slots(self) -> None:
        """Let submitted jobs use the slots that `observe_jobs` saw become free."""

    def adopt(self, id: str) -> None:
        """Take over a job that is not known by its id, but may be known by what it serves."""

    def drop_refused(self, id: str) -> None:
        """Drop what is known of a refused job, once that was reported."""
        self.forget_state(id)

    def cancel_error(self, id: str) -> str:
        """Return why a job cannot be cancelled now, if it cannot."""
        return self._unreachable

    # What the scheduler calls ---------------------------------------------------------------------

    def add(self, prepared: P) -> None:
        """Submit a job in the next round."""
        id = prepared.job.id
        with self.changed:
            self.states[id] = JobState(Phase.QUEUED, unsubmitted=True)
            self._ready[id] = prepared
            self.cancelled.discard(id)

    def poll(self, id: str) -> JobState:
        """Recover the jobs of earlier builds, if that is still to be done, and return the state of a job.

        The thread runs from now on, if there is something to watch.
        """
        self._wakeup.clear()
        with self.changed:
            try:
                self.recover_once()
            except OSError as error:
                self._unreachable = str(error)
                return JobState(Phase.UNREACHABLE, None, self._unreachable)
            self.adopt(id)
            if self._ready or self.has_work():
                self._start()
            state = self.state(id)
        if state.phase is Phase.REFUSED:
            self.drop_refused(id)
        return state

    def state(self, id: str) -> JobState:
        """Return the state that was last seen of a job."""
        with self.changed:
            state = self.states.get(id, _UNKNOWN)
            final = state.is_over or state.phase is Phase.REFUSED
            if self._unreachable and not final:
                return JobState(Phase.UNREACHABLE, None, self._unreachable, state.facts)
            return state

    def cancel(self, id: str) -> None:
        """Cancel a job and wait until it is over or refused; ConnectionError if nobody answers or it does not end."""
        seen = self.poll(id)
        with self.changed:
            if not self._recovered:
                raise ConnectionError(seen.detail)
            if seen.is_over:
                return
            self.cancelled.add(id)
            self.hurry()
            deadline = time.monotonic() + _CANCEL_TIMEOUT
            while id in self.states and not self.is_finished(id):
                self.changed.wait(0.5)
                if why := self.cancel_error(id):
                    raise ConnectionError(why)
                if time.monotonic() > deadline:
                    raise ConnectionError(f"job {id} was cancelled and does not end: the next build tries again")

    def fetch(self, id: str) -> None:
        """Copy the outputs of a job to this host, and those of all other ended jobs along with it."""
        with self._fetching:
            with self.changed:
                jobs = self.list_fetchable()
                ended = [one for one in jobs if one == id or self.is_finished(one)]
            if id in self._fetched or id not in jobs:
                return
            wanted = [one for one in ended if one not in self._fetched]
            self.copy_outputs(wanted)
            self._fetched.update(wanted)

    def waitables(self) -> list[int]:
        """Return the descriptor that becomes readable when a job changes, while there are jobs."""
        return [self._wakeup.fileno()] if self.states else []

    def stop(self) -> None:
        """End the thread."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT)

    # What subclasses use --------------------------------------------------------------------------

    def recover_once(self) -> None:
        """Find the jobs of earlier builds, unless that is done; OSError if nobody answers."""
        if self._recovered:
            return
        found = list(self.find_earlier_jobs())
        for id in found:
            self.states.setdefault(id, JobState(Phase.QUEUED, None, "is looked for"))
        self._recovered = True
        self._unreachable = ""
        if found:
            self.observe_jobs()

    def hurry(self) -> None:
        """Begin the next round at once."""
        self._next_round, self._pause = 0.0, self._shortest_pause
        self._start()

    def look_again_soon(self) -> None:
        """Make the next pause a short one."""
        self._pause = self._shortest_pause

    def set_state(self, id: str, state: JobState) -> None:
        """Record the state of a job; a change makes the next pause a short one."""
        with self.changed:
            before = self.states.get(id)
            self.states[id] = state
            if before != state:
                self.look_again_soon()
                self.changed.notify_all()

    def is_finished(self, id: str) -> bool:
        """Return whether a job has ended or was refused."""
        return self.states.get(id, _UNKNOWN).phase in (Phase.ENDED, Phase.REFUSED)

    def forget_state(self, id: str) -> JobState | None:
        """Drop what is known of a job, and return its last state."""
        with self.changed:
            self._fetched.discard(id)
            return self.states.pop(id, None)

    # The thread -----------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stopped = False
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self.changed.notify_all()

    def _run(self) -> None:
        while (ready := self._wait_for_round()) is not None:
            try:
                self.submit_jobs(ready)
                self.observe_jobs()
                self.use_free_slots()
            except OSError as error:
                self._end_round(str(error))
            except Exception as error:  # a dead thread would leave everybody waiting
                self._end_round(repr(error))
            else:
                self._end_round("")

    def _wait_for_round(self) -> dict[str, P] | None:
        """Wait for the next round, and return what to submit in it; None if the thread is to end."""
        with self.changed:
            while not (self._stopped or self._ready or time.monotonic() >= self._next_round):
                self.changed.wait(max(0.01, self._next_round - time.monotonic()))
            if self._stopped:
                return None
            ready, self._ready = self._ready, {}
            return ready

    def _end_round(self, unreachable: str) -> None:
        with self.changed:
            self._unreachable = unreachable
            is_busy = self._pause == self._shortest_pause
            self._next_round = time.monotonic() + self._pause
            self._pause = min(self._pause * _SLOWDOWN, self._longest_pause)
            self.changed.notify_all()
        if is_busy or unreachable:
            self._wakeup.wake()
