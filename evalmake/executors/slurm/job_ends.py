"""How jobs ended: by their own exit status, or else by what Slurm says of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from evalmake.executors.exit_status import describe_exit_status
from evalmake.executors.remote.job_folders import FolderState
from evalmake.executors.remote.watch_loop import LOST_AFTER
from evalmake.executors.slurm.cluster import Cluster
from evalmake.executors.slurm.container_failures import explain_container_end
from evalmake.executors.slurm.job_states import SlurmJob, refine_state, state_of
from evalmake.plugin_api.executor import JobState, Phase

_LOG_TAIL = 16384  # bytes
_UNKNOWN = "it is gone from Slurm's queue, and its folder does not say how it ended"


class JobEnds:
    """Finds out how jobs ended that no longer run; `read_output` returns what Slurm printed of one."""

    def __init__(self, cluster: Cluster, read_output: Callable[[str], bytes]) -> None:
        self._cluster, self._read_output = cluster, read_output
        self._missing_since: dict[str, float] = {}

    def note_alive(self, id: str) -> None:
        """Note that a job waits or runs."""
        self._missing_since.pop(id, None)

    def find_states(
        self,
        gone: Mapping[str, SlurmJob | None],
        slurm_ids: Mapping[str, str],
        queue: Mapping[str, SlurmJob],
        nodes: Mapping[str, str],
        cancelled: Collection[str],
    ) -> dict[str, JobState]:
        """Return the states of jobs that do not run, as far as they can be told now.

        `gone` has what the queue last showed of each, `nodes` the unhealthy nodes, and `cancelled` the jobs
        that evalmake itself cancelled.
        """
        folders = self._cluster.folders.read_states(gone)
        found, lost = dict[str, JobState](), dict[str, str]()
        for id, seen in gone.items():
            state = self._state_now(id, seen, folders[id], slurm_ids[id], queue, nodes, cancelled)
            if state is not None:
                found[id] = state
            elif self._is_lost(id, cancelled):
                lost[id] = slurm_ids[id]
        if lost:
            remembered = self._cluster.commands.query_accounting(lost.values())
            for id, slurm_id in lost.items():
                known = remembered.get(slurm_id)
                state = state_of(known) if known else JobState(Phase.ENDED, None, _UNKNOWN)
                found[id] = self.explain(id, state, cancelled)
        return found

    def explain(self, id: str, state: JobState, cancelled: Collection[str]) -> JobState:
        """Return the state that Slurm gives, with the cause if evalmake cancelled it or its output tells more."""
        if id in cancelled and state.phase is Phase.ENDED:
            return JobState(Phase.ENDED, state.status or 143, "cancelled", state.facts)
        return self._refine(id, state)

    def _state_now(
        self,
        id: str,
        seen: SlurmJob | None,
        folder: FolderState,
        slurm_id: str,
        queue: Mapping[str, SlurmJob],
        nodes: Mapping[str, str],
        cancelled: Collection[str],
    ) -> JobState | None:
        """Return the state of one job; None if that is to be asked later."""
        facts = {"slurm-job": folder.cluster_job or slurm_id}
        facts |= {"node": seen.node} if seen and seen.node else {}
        if folder.status is not None:
            by_slurm = state_of(seen) if seen is not None else None
            if by_slurm is not None and by_slurm.out_of_time:  # Slurm told it to end: its status does not say that
                return replace(by_slurm, status=folder.status, facts=facts)
            state = JobState(Phase.ENDED, folder.status, describe_exit_status(folder.status), facts)
            return self._refine(id, state) if folder.status == 137 else self._explain_container(id, state)
        is_twin = folder.cluster_job not in ("", slurm_id)  # submitted twice, as the first reply was lost
        twin = queue.get(folder.cluster_job) if is_twin else None
        if twin is not None and state_of(twin).phase is not Phase.ENDED:
            if id in cancelled:
                self._cluster.commands.cancel([folder.cluster_job])
            return state_of(twin, nodes)
        if seen is not None and seen.state != "COMPLETED":
            return self.explain(id, state_of(seen, nodes), cancelled)
        return None

    def _explain_container(self, id: str, state: JobState) -> JobState:
        """Return the state with what a container's runtime says in the job's log, where jobs run in images."""
        if not state.status or (runtime := self._cluster.settings.container) == "none":
            return state
        log = self._cluster.folders.read_tail(id, "log", _LOG_TAIL)
        return explain_container_end(state, runtime, log.decode(errors="replace"))

    def _refine(self, id: str, state: JobState) -> JobState:
        return refine_state(state, self._read_output(id).decode(errors="replace"))

    def _is_lost(self, id: str, cancelled: Collection[str]) -> bool:
        """Return whether the exit status of a job had time to be seen from here."""
        since = self._missing_since.setdefault(id, time.monotonic())
        return time.monotonic() - since > (0 if id in cancelled else LOST_AFTER)
