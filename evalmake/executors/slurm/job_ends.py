"""How jobs ended: their own exit status, or else what Slurm says of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.job_states import Seen, refined, state_of
from evalmake.plugin_api.executor import JobState, Phase

_SETTLED = 20.0  # seconds after which what nobody knows of is taken for lost: file systems lag
_UNKNOWN = "it is gone from Slurm's queue, and its folder does not say how it ended"


class Endings:
    """What became of jobs that run no more; `said` is what Slurm printed of one."""

    def __init__(self, cluster: Cluster, said: Callable[[str], bytes]) -> None:
        self._of, self._said = cluster, said
        self._missing: dict[str, float] = {}

    def back(self, id: str) -> None:
        """A job runs, or waits."""
        self._missing.pop(id, None)

    def of(
        self,
        gone: Mapping[str, Seen | None],
        own: Mapping[str, str],
        queue: Mapping[str, Seen],
        nodes: Mapping[str, str],
        doomed: Collection[str],
    ) -> dict[str, JobState]:
        """The states of jobs that do not run, so far as can be said now.

        `own` are their ids in Slurm, `nodes` those in trouble; what we had cancelled is `doomed`.
        """
        folders = self._of.folders.ended(gone)
        found, lost = dict[str, JobState](), {}
        for id, seen in gone.items():
            ended = folders[id]
            facts = {"slurm-job": ended.by or own[id]}
            facts |= {"node": seen.node} if seen and seen.node else {}
            other = queue.get(ended.by) if ended.by and ended.by != own[id] else None
            if ended.status is not None:
                state = JobState(Phase.ENDED, ended.status, _words(ended.status), facts)
                found[id] = self._refined(id, state) if ended.status == 137 else state
            elif other is not None and state_of(other).phase is not Phase.ENDED:
                found[id] = state_of(other, nodes)
                if id in doomed:
                    self._of.commands.cancel([ended.by])
            elif seen is not None and seen.state != "COMPLETED":
                found[id] = self.by_slurm(id, state_of(seen, nodes), doomed)
            elif self._settled(id, doomed):
                lost[id] = own[id]
        if lost:
            told = self._of.commands.remembered(lost.values())
            for id, slurm in lost.items():
                known = told.get(slurm)
                state = state_of(known) if known else JobState(Phase.ENDED, None, _UNKNOWN)
                found[id] = self.by_slurm(id, state, doomed)
        return found

    def by_slurm(self, id: str, state: JobState, doomed: Collection[str]) -> JobState:
        """What we had cancelled was not ended by somebody else."""
        if id in doomed and state.phase is Phase.ENDED:
            return JobState(Phase.ENDED, state.status or 143, "cancelled", state.facts)
        return self._refined(id, state)

    def _refined(self, id: str, state: JobState) -> JobState:
        return refined(state, self._said(id).decode(errors="replace"))

    def _settled(self, id: str, doomed: Collection[str]) -> bool:
        """Whether a job's exit status had time to be seen from here."""
        since = self._missing.setdefault(id, time.monotonic())
        return time.monotonic() - since > (0 if id in doomed else _SETTLED)


def _words(status: int) -> str:
    if status == 137:
        return "exit status 137 (SIGKILL, most often memory)"
    return f"exit status {status}" if status else ""
