"""`python -m evalmake.gateway.sidecar.colocation AT_ONCE FOLDER`: run a server's job, and the jobs that ask it.

For allocations of a cluster that serve a model and run its evaluations, too. `FOLDER/job.sh` is run, and
our exit status is its own. Files in `FOLDER/queue` say what else there is to do: a batch has a job's id on
each line but the first, which says how many jobs may run when one of these has begun, 0 where only
AT_ONCE counts (0 there: as many as there are processors); `BATCH.ID.cancel` ends a job. The folders of
jobs lie beside the server's. A job writes its `status`; we do, where it could not. What it started
is ended with it, and all are ended with the server: such jobs have no status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

QUEUE = "queue"
CANCEL = ".cancel"
_MARK = "EVALMAKE_HOSTED"
_LOOK = 0.5
_GRACE = 10.0
_CANCELLED = 143


class Child:
    """A job that was begun, and all that it started: in its session, or told by a variable of theirs."""

    def __init__(self, folder: Path, said: IO[bytes] | None = None) -> None:
        self.folder = folder
        self._mark = f"{_MARK}={folder}".encode()
        self._deadline = 0.0  # when what is left of it is killed, once it is to end
        self.process = subprocess.Popen(
            ["/bin/bash", str(folder / "job.sh")],
            env={**os.environ, _MARK: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )

    def end(self) -> None:
        """TERM to all of it; what is left after a grace is killed by `over`."""
        if not self._deadline:
            self._deadline = time.monotonic() + _GRACE
            self._signal(signal.SIGTERM)

    def over(self) -> bool:
        """Whether nothing of it is left; what has outlived its job is ended."""
        if self.process.poll() is None and not self._deadline:
            return False
        self.end()
        if time.monotonic() > self._deadline:
            self._signal(signal.SIGKILL)
        return self.process.poll() is not None and not self._members()

    def _signal(self, number: int) -> None:
        for pid in self._members():
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def _members(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            if self._in_session(entry) or self._is_marked(entry):
                found.append(int(entry.name))
        return found

    def _in_session(self, entry: Path) -> bool:
        """A gateway lets nobody read its environment."""
        with contextlib.suppress(OSError, ValueError):
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            return int(session) == self.process.pid and state != "Z"
        return False

    def _is_marked(self, entry: Path) -> bool:
        with contextlib.suppress(OSError):
            return self._mark in (entry / "environ").read_bytes().split(b"\0")
        return False


class Hosting:
    """A server, and the jobs that wait and run beside it."""

    def __init__(self, folder: Path, at_once: int) -> None:
        self.at_once = at_once
        self.folder = folder
        self._closing = False
        signal.signal(signal.SIGTERM, lambda number, frame: setattr(self, "_closing", True))
        self.server = Child(folder)
        self.waiting: dict[str, tuple[Path, int]] = {}  # by BATCH.ID; how many may run then
        self.running: dict[str, Child] = {}
        self._read: set[str] = set()

    def run(self) -> int:
        """Until the server ends, or we are to end; the server's exit status."""
        signal.signal(signal.SIGTERM, lambda number, frame: self._close())
        while not self._closing:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.process.wait(_LOOK)
                break
            with contextlib.suppress(OSError):  # what could not be read or written is tried again
                self._look()
        self._close()
        every = [self.server, *self.running.values()]
        for one in every:
            one.end()
        while not all([one.over() for one in every]):
            time.sleep(0.05)
        return _status(self.server.process.returncode)

    def _close(self) -> None:
        """End the server. Jobs that run now do not end by themselves: a folder keeps them from saying so."""
        self._closing = True
        for child in list(self.running.values()):
            with contextlib.suppress(OSError):
                (child.folder / "status").mkdir()
        self.server.end()

    def _look(self) -> None:
        """Do what the queue says, and see to what has ended."""
        cancelled = self._orders()
        for job, child in list(self.running.items()):
            if job in cancelled:
                child.end()
            if child.over():
                _conclude(child.folder, _status(child.process.returncode))
                del self.running[job]
        for job, (folder, limit) in list(self.waiting.items()):
            if job in cancelled:
                _conclude(folder, _CANCELLED)
                del self.waiting[job]
            elif len(self.running) < min(self.at_once, limit or self.at_once):
                self._begin(job, folder)
                del self.waiting[job]

    def _orders(self) -> set[str]:
        """Read what is new in the queue; the jobs that are to end."""
        names = set(os.listdir(self.folder / QUEUE))
        for name in sorted(names - self._read):
            if not name.startswith(".") and not name.endswith(CANCEL):
                limit, *ids = (self.folder / QUEUE / name).read_text().split()
                for id in ids:
                    self.waiting[f"{name}.{id}"] = self.folder.parent / id, int(limit)
            self._read.add(name)
        return {name.removesuffix(CANCEL) for name in names if name.endswith(CANCEL)}

    def _begin(self, job: str, folder: Path) -> None:
        """Begin a job, unless it was begun before, or withdrawn."""
        if (folder / "started").exists():
            return
        with contextlib.suppress(FileNotFoundError), (folder / "log").open("ab") as log:
            self.running[job] = Child(folder, log)


def _conclude(folder: Path, status: int) -> None:
    """Write down how a job ended, where it did not do so itself."""
    with contextlib.suppress(FileNotFoundError):  # it may be withdrawn
        if not (folder / "status").exists():
            (folder / ".status").write_text(f"{status}\n")
            (folder / ".status").rename(folder / "status")


def _status(code: int) -> int:
    """As shells tell it."""
    return 128 - code if code < 0 else code


def main() -> int:
    """Serve, once: another job of Slurm may have begun this one."""
    at_once, folder = int(sys.argv[1]), Path(sys.argv[2]).resolve()
    if (folder / "started").exists():
        return 0
    processors = int(os.environ.get("SLURM_CPUS_ON_NODE") or os.cpu_count() or 1)
    return Hosting(folder, at_once or processors).run()


if __name__ == "__main__":
    sys.exit(main())
