"""Jobs as processes of this machine.

A job is a small shell in a session of its own, in the job's folder. It writes its own pid, runs the
command, and renames `status` into place, so its life does not depend on evalmake's: after a crash
the next evalmake finds it by the folder it stands in (/proc/PID/cwd), never by a pid that another
process may have been given since. What a job starts inherits $EVALMAKE_WORKDIR, and is found by it
(/proc/PID/environ) even when it has left the job's process group.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.executors.gpu_devices import Gpus, devices
from evalmake.executors.passed_environment import PASSED_ON
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.project.key_types import Block, define_key

_PASSED_ON = (*PASSED_ON, "CUDA_VISIBLE_DEVICES")
_SHELL = 'echo $$ > pid; "$@" > log 2>&1; echo $? > .status; mv .status status'
_MARK = "EVALMAKE_WORKDIR"
_GRACE = 5.0
_COPIED = 64 * 2**20  # bytes: a larger input is linked to, and checked before each use


class ProcessExecutor:
    """Runs each job in a process group of its own."""

    class Settings(Block):
        """Jobs are processes on this machine."""

        gpus: Gpus = define_key(
            None, "The GPUs that jobs share: how many, all, or their ids.", '"0,2"', unset="GPUs are not counted"
        )

    capabilities: ClassVar[Capabilities] = Capabilities()

    def __init__(self, name: str, settings: Any, root: Path) -> None:
        self.root = root
        self._gpus = devices(settings.gpus) if settings else None
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._watched: dict[str, int] = {}

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job` in its folder; OSError when the folder or the process cannot be made."""
        shutil.rmtree(job.workdir, ignore_errors=True)
        (job.workdir / "out").mkdir(parents=True)
        for name, text in job.files.items():
            path = job.workdir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name, source in job.inputs.items():
            path = job.workdir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if source.stat().st_size <= _COPIED:
                shutil.copyfile(source, path)  # its own: what it does to it is seen by no other job
            else:
                path.symlink_to(source)
        environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        environment |= {**job.env, **secrets, _MARK: os.path.realpath(job.workdir)}
        if self._gpus is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(job.gpu_ids)
        argv = [sys.executable if word == "{python}" else word for word in job.argv]
        child = subprocess.Popen(
            ["/bin/sh", "-c", _SHELL, f"evalmake:{job.id}", *argv],
            cwd=job.workdir,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._children[job.id] = child
        self._watch(job.id, child.pid)

    def poll(self, id: str) -> JobState:
        """A job's state from its folder and the process table."""
        folder = self.root / id
        child = self._children.get(id)
        running = child.poll() is None if child else self._alive(folder) is not None
        status = _read_status(folder)
        if status is not None:
            self._unwatch(id)
            return JobState(Phase.ENDED, status, _said(status))
        if running:
            if child is None and id not in self._watched and (pid := self._alive(folder)):
                self._watch(id, pid)
            return JobState(Phase.RUNNING)
        self._unwatch(id)
        if child is not None:
            code = child.returncode
            status = 128 - code if code < 0 else code
            return JobState(Phase.ENDED, status or 137, _said(status or 137))
        if (folder / "pid").exists():
            return JobState(Phase.ENDED, None, "the process is gone and left no exit status")
        return JobState(Phase.UNKNOWN)

    def cancel(self, id: str) -> None:
        """TERM to all that the job started, KILL to what is left of it after a grace of five seconds."""
        self._signal(id, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while time.monotonic() < deadline and _members(self.root / id):
            time.sleep(0.01)
        self._end(id)

    def fetch(self, id: str, into: Path) -> None:
        """Outputs lie in the job's folder already; what the job left running is ended."""
        child = self._children.get(id)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)
        self._end(id)
        self._children.pop(id, None)

    def _end(self, id: str) -> None:
        """KILL until nothing of the job is left, and reap it."""
        self._signal(id, signal.SIGKILL)
        while _members(self.root / id):
            time.sleep(0.01)
            self._signal(id, signal.SIGKILL)
        if (child := self._children.get(id)) is not None:
            child.wait()
        if (folder := self.root / id).is_dir():
            (folder / "pid").touch()  # it may have been ended before it could write its own
        self._unwatch(id)

    def _signal(self, id: str, number: int) -> None:
        """To the whole group at once, where its shell still lives; then to each that is found."""
        folder = self.root / id
        child = self._children.get(id)
        pid = child.pid if child and child.returncode is None else self._alive(folder)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid is not None:
                os.killpg(pid, number)
        for member in _members(folder):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, number)

    def host_address(self) -> str:
        """Jobs are on this host."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """So are servers."""
        return f"http://127.0.0.1:{port}"

    def url_from_jobs(self, id: str, port: int) -> str:
        """Jobs reach a server as this host does."""
        return self.url_from_host(id, port)

    def gpus(self) -> tuple[str, ...] | None:
        """Those of this machine that its settings name."""
        return self._gpus

    def waitables(self) -> list[int]:
        """A descriptor for each running job, readable when its shell ends."""
        return list(self._watched.values())

    def sweep(self) -> list[tuple[str, str]]:
        """End every process that was started in a folder of this workspace."""
        mark = f"{_MARK}={os.path.realpath(self.root)}/".encode()
        found = {
            word.removeprefix(mark).decode() for _, words in _environments() for word in words if word.startswith(mark)
        }
        for id in found:
            self._end(id)
        return [(id, f"the processes of job {id}") for id in sorted(found)]

    def close(self) -> None:
        """Nothing is held."""

    def _alive(self, folder: Path) -> int | None:
        """The pid of the job that stands in `folder`, if it still runs."""
        here = os.path.realpath(folder)
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / "pid").read_text())
            return pid if _stands_in(pid, here) else None
        if not folder.exists():
            return None
        return next((pid for pid in _pids() if _stands_in(pid, here) and _leads(pid)), None)

    def _watch(self, id: str, pid: int) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._watched[id] = os.pidfd_open(pid)

    def _unwatch(self, id: str) -> None:
        if (handle := self._watched.pop(id, None)) is not None:
            os.close(handle)


def _read_status(folder: Path) -> int | None:
    try:
        return int((folder / "status").read_text())
    except (OSError, ValueError):
        return None


def _said(status: int) -> str:
    if status == 137:
        return "exit status 137 (SIGKILL, most often memory)"
    if status > 128:
        with contextlib.suppress(ValueError):
            return f"exit status {status} ({signal.Signals(status - 128).name})"
    return f"exit status {status}" if status else ""


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _stands_in(pid: int, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == folder
    except OSError:
        return False


def _leads(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except OSError:
        return False


def _members(folder: Path) -> list[int]:
    """Every living process that the job in `folder` started; a zombie's environment is empty."""
    mark = f"{_MARK}={os.path.realpath(folder)}".encode()
    return [pid for pid, words in _environments() if mark in words]


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    """The environment of every process that may be looked at."""
    for pid in _pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            yield pid, file.read().split(b"\0")
