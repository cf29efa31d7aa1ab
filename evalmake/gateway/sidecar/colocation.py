"""`python -m evalmake.gateway.sidecar.colocation AT_ONCE FOLDER`: run a server's job, and jobs in its allocation.

For allocations of a cluster that serve a model and run its evaluations. This program runs `FOLDER/job.sh`, the
server, and exits with its status. Files in `FOLDER/queue` say which other jobs to run:

    BATCH             line 1: how many jobs may run when one of the batch starts; 0: no limit beyond AT_ONCE.
                      Then a job's id on each line. The job's folder is next to the server's.
    BATCH.ID.cancel   end this job: evalmake waits for its status
    BATCH.ID.discard  end this job without a status: evalmake gave it up, and may use its folder anew

AT_ONCE limits the jobs that run at the same time; 0: one for each processor. A job writes its exit status to the
file `status`; this program writes it where the job could not. What a job started ends with it, and all jobs end
with the server: those have no status, so evalmake runs them again.

A killed build may submit a job late, after the next build gave that job up and made its folder anew. So a job's
status goes into the folder that it started in, and only one job at a time runs in a folder of a name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

QUEUE = "queue"
CANCEL, DISCARD = "cancel", "discard"
_MARK = "EVALMAKE_HOSTED"
_POLL_INTERVAL = 0.5
_GRACE = 10.0  # seconds between TERM and KILL
_CANCELLED_STATUS = 143  # as after TERM


class JobProcess:
    """A job's process, and all that it started: in its session, or marked by a variable of the environment."""

    def __init__(self, folder: Path, output: IO[bytes] | None = None) -> None:
        self.folder = folder
        self._mark = f"{_MARK}={folder}".encode()
        self._kill_at = 0.0  # set once it must end
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # evalmake may give its name to another folder
        try:
            self.process = subprocess.Popen(
                ["/bin/bash", str(folder / "job.sh")],
                env={**os.environ, _MARK: str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError:
            os.close(self._handle)
            raise

    def end(self) -> None:
        """Send TERM to all of it; `reap` kills what is left after a grace."""
        if not self._kill_at:
            self._kill_at = time.monotonic() + _GRACE
            self._send_signal(signal.SIGTERM)

    def reap(self) -> bool:
        """End what has outlived the job; returns whether nothing is left."""
        if self.process.poll() is None and not self._kill_at:
            return False
        self.end()
        if time.monotonic() > self._kill_at:
            self._send_signal(signal.SIGKILL)
        return self.process.poll() is not None and not self._find_members()

    def record_end(self) -> None:
        """Write its exit status, unless it did so itself; call this once, when all of it has ended."""
        _record_status(self._handle, _exit_status(self.process.returncode))
        os.close(self._handle)

    def prevent_status(self) -> None:
        """Keep it from writing a status from now on: a folder of that name does."""
        with contextlib.suppress(OSError):
            os.mkdir("status", dir_fd=self._handle)

    def _send_signal(self, number: int) -> None:
        for pid in self._find_members():
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def _find_members(self) -> list[int]:
        """The pids of the job's processes.

        The mark finds those that left the session. The session finds a sidecar, whose environment nobody may read.
        """
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            if self._is_in_session(entry) or self._is_marked(entry):
                found.append(int(entry.name))
        return found

    def _is_in_session(self, entry: Path) -> bool:
        with contextlib.suppress(OSError, ValueError):
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            return int(session) == self.process.pid and state != "Z"
        return False

    def _is_marked(self, entry: Path) -> bool:
        with contextlib.suppress(OSError):
            return self._mark in (entry / "environ").read_bytes().split(b"\0")
        return False


class Colocation:
    """A server, and the jobs that wait and run in its allocation."""

    def __init__(self, folder: Path, at_once: int) -> None:
        self.at_once = at_once
        self.folder = folder
        self._closing = False
        # A TERM before `run` must not end this process and leave the server behind.
        signal.signal(signal.SIGTERM, lambda number, frame: setattr(self, "_closing", True))
        self.server = JobProcess(folder)
        self.folders: dict[str, Path] = {}  # of all jobs that were ever in the queue, by BATCH.ID
        self.waiting: dict[str, int] = {}  # the limits of their batches
        self.running: dict[str, JobProcess] = {}
        self._read_files: set[str] = set()

    def run(self) -> int:
        """Run jobs until the server ends or TERM arrives; returns the server's exit status."""
        signal.signal(signal.SIGTERM, lambda number, frame: self._close())
        while not self._closing:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.process.wait(_POLL_INTERVAL)
                break
            with contextlib.suppress(OSError):  # a file that cannot be read or written now: try again
                self._run_queue()
        self._close()
        processes = [self.server, *self.running.values()]
        for process in processes:
            process.end()
        while not all([process.reap() for process in processes]):
            time.sleep(0.05)
        return _exit_status(self.server.process.returncode)

    def _close(self) -> None:
        """End the server. The jobs end with it, not by themselves, so they leave no status."""
        self._closing = True
        for process in list(self.running.values()):
            process.prevent_status()
        self.server.end()

    def _run_queue(self) -> None:
        """Start and end jobs as the queue says, and record those that ended."""
        self._read_queue()
        for job, process in list(self.running.items()):
            if process.reap():
                process.record_end()
                del self.running[job]
        for job, limit in list(self.waiting.items()):
            if len(self.running) < min(self.at_once, limit or self.at_once) and not self._is_occupied(job):
                with contextlib.suppress(OSError):  # try again in the next round; the others need not wait for that
                    self._start_job(job)
                    del self.waiting[job]

    def _read_queue(self) -> None:
        """Read what is new in the queue: batches first, as an order may have come with its batch."""
        new = set(os.listdir(self.folder / QUEUE)) - self._read_files
        batches = [name for name in new if "." not in name]
        for name in sorted(batches, key=lambda name: (self.folder / QUEUE / name).stat().st_mtime_ns):  # first come
            self._read_batch(name)
        for name in new:
            job, _, order = name.rpartition(".")
            if job in self.folders and order in (CANCEL, DISCARD):
                self._end_job(job, order)
                self._read_files.add(name)

    def _read_batch(self, name: str) -> None:
        limit, *ids = (self.folder / QUEUE / name).read_text().split()
        for id in ids:
            self.folders[f"{name}.{id}"] = self.folder.parent / id
            self.waiting[f"{name}.{id}"] = int(limit)
        self._read_files.add(name)

    def _end_job(self, job: str, order: str) -> None:
        """End a job; one that does not run gets a status, too, as evalmake waits for that."""
        self.waiting.pop(job, None)
        if process := self.running.get(job):
            process.end()
        elif order == CANCEL:
            with contextlib.suppress(FileNotFoundError):
                handle = os.open(self.folders[job], os.O_RDONLY | os.O_DIRECTORY)
                try:
                    _record_status(handle, _CANCELLED_STATUS)
                finally:
                    os.close(handle)

    def _is_occupied(self, job: str) -> bool:
        """Whether another job, of an earlier build, has not quite ended in a folder of the same name."""
        return any(process.folder == self.folders[job] for process in self.running.values())

    def _start_job(self, job: str) -> None:
        """Start a job, unless it was started before or its folder is gone."""
        folder = self.folders[job]
        if (folder / "started").exists():
            return
        with contextlib.suppress(FileNotFoundError), (folder / "log").open("ab") as log:
            self.running[job] = JobProcess(folder, log)


def _record_status(folder: int, status: int) -> None:
    """Write a job's exit status into its open folder, where the job itself did not."""
    try:
        if "status" not in os.listdir(folder):
            with open(os.open(".status", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666, dir_fd=folder), "w") as file:
                file.write(f"{status}\n")
            os.rename(".status", "status", src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESTALE):  # evalmake has deleted the folder
            raise


def _exit_status(code: int) -> int:
    """A process's return code as shells report it."""
    return 128 - code if code < 0 else code


def main() -> int:
    """Run the server once: another Slurm job may have started it already."""
    at_once, folder = int(sys.argv[1]), Path(sys.argv[2]).resolve()
    if (folder / "started").exists():
        return 0
    processors = int(os.environ.get("SLURM_CPUS_ON_NODE") or os.cpu_count() or 1)
    return Colocation(folder, at_once or processors).run()


if __name__ == "__main__":
    sys.exit(main())
