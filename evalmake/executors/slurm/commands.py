"""Calls Slurm's commands: sbatch, squeue, scancel, and sacct for what squeue has forgotten.

One squeue lists all jobs, also those that have just ended (`--states=all`). The controller remembers those for
a while, so a cluster without accounting tells how they ended, too.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterable

from evalmake.executors.remote.shell import CommandFailed, Shell
from evalmake.executors.slurm.job_states import SlurmJob

_FORMAT = "%F|%K|%j|%T|%r|%S|%B|%l|%P"
_CONTROLLER_DOWN = (
    "unable to contact slurm",
    "connection refused",
    "timed out",
    "connect failure",
    "communication connection",
    "zero bytes were transmitted",
    "no route to host",
    "connection reset",
    "backup controller",
)
_LIMIT_REACHED = ("submit limit", "maxsubmitjobs", "temporarily unable", "maximum job array", "max job")
_ARRAY_TOO_LARGE = "invalid job array spec"
_ALREADY_ENDED = "invalid job id|already complet"
_IDS_PER_CALL = 500
_UNSET_DEFAULTS = (
    "unset $(env | sed -n 's/^\\(\\(SLURM\\|SBATCH\\|SQUEUE\\|SACCT\\|SCANCEL\\|SCONTROL\\)_[A-Za-z0-9_]*\\)=.*/\\1/p'"
    " | grep -v '^SLURM_\\(CONF\\|JWT\\)'); "
)
"""A user's environment can have defaults for Slurm's commands, which would overrule scripts and hide jobs."""


class SubmitLimitReached(OSError):
    """Slurm takes no more jobs of this user for now."""


class ArrayTooLarge(SubmitLimitReached):
    """The cluster takes no array of that size (its `MaxArraySize`), whatever else runs."""


class SlurmCommands:
    """The commands of a cluster; ConnectionError if it, or its controller, does not answer."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._accounting: bool | None = None

    def submit(self, folder: str) -> str:
        """Submit the batch in `folder` and return its id, once: the id is written there before it is returned."""
        text = (
            f"cd {shlex.quote(folder)} && if [ ! -s id ]; then sbatch --parsable batch.sh > .id && mv .id id; fi"
            " && cat id"
        )
        try:
            return self._run(text).split(";")[0].strip()
        except CommandFailed as error:
            message = str(error).removeprefix("sbatch: error: ")
            if _ARRAY_TOO_LARGE in message.lower():
                raise ArrayTooLarge(message) from None
            if any(words in message.lower() for words in _LIMIT_REACHED):
                raise SubmitLimitReached(message) from None
            raise CommandFailed(message) from None

    def list_jobs(self, names: Collection[str]) -> dict[str, SlurmJob]:
        """Return the jobs of these batches, queued, running and just ended, by their ids."""
        listed = shlex.quote(",".join(names))
        return self._parse_queue(f"squeue -h -r -t all -n {listed} -o {shlex.quote(_FORMAT)}")

    def list_batches(self, prefix: str) -> dict[str, list[str]]:
        """Return this user's batches that have not ended and whose names begin with `prefix`: name -> ids."""
        found: dict[str, list[str]] = {}
        for line in self._run('squeue -h -r -u "$(id -un)" -o "%j|%F"').splitlines():
            name, _, id = line.partition("|")
            if name.startswith(prefix) and id not in found.setdefault(name, []):
                found[name].append(id)
        return found

    def query_accounting(self, ids: Collection[str]) -> dict[str, SlurmJob]:
        """Return what accounting knows of jobs that squeue no longer shows; nothing if there is no accounting."""
        if not self._has_accounting():
            return {}
        found: dict[str, SlurmJob] = {}
        listed = sorted(ids)
        for at in range(0, len(listed), _IDS_PER_CALL):
            listed_ids = ",".join(listed[at : at + _IDS_PER_CALL])
            text = f"sacct -n -P -X -j {listed_ids} -o JobID,State,ExitCode,NodeList,Timelimit,ReqMem"
            for line in self._run(text).splitlines():
                id, state, exit, node, limit, memory = f"{line}|||||".split("|")[:6]
                word, _, by = state.partition(" by ")
                found[id] = SlurmJob(id, word, "", "", node, limit, memory.rstrip("cn"), exit, by)
        return found

    def list_unhealthy_nodes(self, partitions: Collection[str]) -> dict[str, str]:
        """Return the nodes of partitions that take no jobs: the state of each, and the reason that Slurm gives."""
        listed = shlex.quote(",".join(sorted(partitions)))
        found = {}
        for line in self._run(f"sinfo -h -N -R -p {listed} -o '%N|%T|%E'").splitlines():
            name, state, reason = f"{line}||".split("|")[:3]
            found[name] = f"{state.rstrip('*')}: {reason}" if reason not in ("", "none") else state
        return found

    def node_address(self, node: str) -> str:
        """Return the address of a node."""
        printed = self._run(f"scontrol show node {shlex.quote(node)}")
        found = re.search(r"NodeAddr=(\S+)", printed)
        return found[1] if found else node

    def set_array_limit(self, array: str, at_once: int) -> None:
        """Let `at_once` jobs of an array run at a time."""
        with contextlib.suppress(CommandFailed):  # the array is over
            self._run(f"scontrol update jobid={array} arraytaskthrottle={at_once}")

    def cancel(self, ids: Collection[str]) -> None:
        """Cancel jobs, also those that have ended; CommandFailed if Slurm refuses to cancel one."""
        listed = sorted(ids)
        for at in range(0, len(listed), _IDS_PER_CALL):
            listed_ids = " ".join(listed[at : at + _IDS_PER_CALL])
            unexpected = f"printf '%s\\n' \"$errors\" | grep -viE '{_ALREADY_ENDED}' >&2"
            self._run(f"errors=$(scancel {listed_ids} 2>&1) || ! {unexpected}")

    def cancel_batches(self, names: Iterable[str]) -> None:
        """Cancel all jobs of these batches, whatever their ids."""
        for name in names:
            self._run(f'scancel -u "$(id -un)" -n {shlex.quote(name)}')

    def _parse_queue(self, text: str) -> dict[str, SlurmJob]:
        found = {}
        for line in self._run(text).splitlines():
            base, index, _, state, reason, start, node, limit, partition = f"{line}||||||||".split("|")[:9]
            id = base if index in ("N/A", "") else f"{base}_{index}"
            found[id] = SlurmJob(id, state, reason, start, node.replace("n/a", ""), limit, partition=partition)
        return found

    def _has_accounting(self) -> bool:
        if self._accounting is None:
            text = "scontrol show config | grep -i '^AccountingStorageType' || true"
            kind = re.search(r"accounting_storage/(\w+)", self._run(text))  # `(null)` since Slurm 24.11
            self._accounting = kind is not None and kind[1] != "none"
        return self._accounting

    def _run(self, text: str) -> str:
        try:
            return self.shell.run(_UNSET_DEFAULTS + text).decode(errors="replace")
        except CommandFailed as error:
            if any(words in str(error).lower() for words in _CONTROLLER_DOWN):
                raise ConnectionError(f"the controller of Slurm does not answer: {error}") from None
            if "not found" in str(error):
                raise CommandFailed(
                    f"there is no Slurm on {self.shell.place} ({error}): name a login node as `host`"
                ) from None
            raise
