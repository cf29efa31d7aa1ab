"""Slurm's commands: sbatch, squeue, scancel, and, for what squeue has forgotten, sacct.

squeue is asked for all jobs at once, also for those that have just ended (`--states=all`): these the
controller remembers for a while, so that a cluster without accounting tells how they ended, too.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Collection, Iterable

from evalmake.executors.slurm.job_states import Seen
from evalmake.executors.slurm.login_shell import Refused, Shell

_FORMAT = "%F|%K|%j|%T|%r|%S|%B|%l|%P"
_AWAY = (
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
_FULL = ("submit limit", "maxsubmitjobs", "temporarily unable", "maximum job array", "max job")
_OVER = "invalid job id|already complet"
_AT_ONCE = 500
_PLAIN = (
    "unset $(env | sed -n 's/^\\(\\(SLURM\\|SBATCH\\|SQUEUE\\|SACCT\\|SCANCEL\\|SCONTROL\\)_[A-Za-z0-9_]*\\)=.*/\\1/p'"
    " | grep -v '^SLURM_\\(CONF\\|JWT\\)'); "
)
"""Defaults that a user's environment has for Slurm's commands would overrule scripts, and hide jobs."""


class Full(OSError):
    """Slurm takes no more jobs of this user for now."""


class Commands:
    """What is asked of a cluster; ConnectionError where it, or its controller, does not answer."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._accounted: bool | None = None

    def submit(self, folder: str) -> str:
        """Hand over the batch in `folder`, once: the id is written there before anybody hears of it."""
        text = (
            f"cd {shlex.quote(folder)} && if [ ! -s id ]; then sbatch --parsable batch.sh > .id && mv .id id; fi"
            " && cat id"
        )
        try:
            return self._asked(text).split(";")[0].strip()
        except Refused as error:
            said = str(error).removeprefix("sbatch: error: ")
            if any(words in said.lower() for words in _FULL):
                raise Full(said) from None
            raise Refused(said) from None

    def queue(self, names: Collection[str]) -> dict[str, Seen]:
        """The jobs of these batches, running, waiting and just ended, by their ids."""
        listed = shlex.quote(",".join(names))
        return self._lines(f"squeue -h -r -t all -n {listed} -o {shlex.quote(_FORMAT)}")

    def all(self, prefix: str) -> dict[str, list[str]]:
        """The jobs of this user that have not ended and whose names begin so: name -> ids."""
        found: dict[str, list[str]] = {}
        for line in self._asked('squeue -h -r -u "$(id -un)" -o "%j|%F"').splitlines():
            name, _, id = line.partition("|")
            if name.startswith(prefix) and id not in found.setdefault(name, []):
                found[name].append(id)
        return found

    def remembered(self, ids: Collection[str]) -> dict[str, Seen]:
        """What accounting knows of jobs that squeue shows no more; nothing where there is none."""
        if not self._has_accounting():
            return {}
        found: dict[str, Seen] = {}
        listed = sorted(ids)
        for at in range(0, len(listed), _AT_ONCE):
            some = ",".join(listed[at : at + _AT_ONCE])
            text = f"sacct -n -P -X -j {some} -o JobID,State,ExitCode,NodeList,Timelimit,ReqMem"
            for line in self._asked(text).splitlines():
                id, state, exit, node, limit, memory = f"{line}|||||".split("|")[:6]
                word, _, by = state.partition(" by ")
                found[id] = Seen(id, word, "", "", node, limit, memory.rstrip("cn"), exit, by)
        return found

    def troubled(self, partitions: Collection[str]) -> dict[str, str]:
        """The nodes of partitions that take no jobs: how each is, and what was said of that."""
        listed = shlex.quote(",".join(sorted(partitions)))
        found = {}
        for line in self._asked(f"sinfo -h -N -R -p {listed} -o '%N|%T|%E'").splitlines():
            name, state, reason = f"{line}||".split("|")[:3]
            found[name] = f"{state.rstrip('*')}: {reason}" if reason not in ("", "none") else state
        return found

    def address(self, node: str) -> str:
        """By what a node is reached."""
        told = self._asked(f"scontrol show node {shlex.quote(node)}")
        found = re.search(r"NodeAddr=(\S+)", told)
        return found[1] if found else node

    def widen(self, array: str, at_once: int) -> None:
        """Let more jobs of an array run at once; one that is over has none."""
        with contextlib.suppress(Refused):
            self._asked(f"scontrol update jobid={array} arraytaskthrottle={at_once}")

    def cancel(self, ids: Collection[str]) -> None:
        """End jobs, those that have ended already too; Refused where Slurm will not end one."""
        listed = sorted(ids)
        for at in range(0, len(listed), _AT_ONCE):
            some = " ".join(listed[at : at + _AT_ONCE])
            self._asked(f"said=$(scancel {some} 2>&1) || ! printf '%s\\n' \"$said\" | grep -viE '{_OVER}' >&2")

    def cancel_named(self, names: Iterable[str]) -> None:
        """End all jobs of these batches, whatever their ids."""
        for name in names:
            self._asked(f'scancel -u "$(id -un)" -n {shlex.quote(name)}')

    def _lines(self, text: str) -> dict[str, Seen]:
        found = {}
        for line in self._asked(text).splitlines():
            base, index, _, state, reason, start, node, limit, partition = f"{line}||||||||".split("|")[:9]
            id = base if index in ("N/A", "") else f"{base}_{index}"
            found[id] = Seen(id, state, reason, start, node.replace("n/a", ""), limit, partition=partition)
        return found

    def _has_accounting(self) -> bool:
        if self._accounted is None:
            text = "scontrol show config | grep -i '^AccountingStorageType' || true"
            told = self._asked(text).lower()
            self._accounted = bool(told) and "none" not in told
        return self._accounted

    def _asked(self, text: str) -> str:
        try:
            return self.shell.run(_PLAIN + text).decode(errors="replace")
        except Refused as error:
            if any(words in str(error).lower() for words in _AWAY):
                raise ConnectionError(f"the controller of Slurm does not answer: {error}") from None
            if "not found" in str(error):
                raise Refused(
                    f"there is no Slurm on {self.shell.place} ({error}): name a login node as `host`"
                ) from None
            raise
