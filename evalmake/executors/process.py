"""Runs jobs as processes of this machine.

A job is a small shell in its own session and folder. It writes its pid, runs the command and renames `status`
into place, so it does not depend on evalmake. After a crash, the next evalmake finds it by its current folder
(/proc/PID/cwd), never by its pid alone: another process may have that pid by now. `job_processes` finds whatever a
job starts.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.executors.exit_status import describe_exit_status
from evalmake.executors.gpu_devices import Gpus, find_gpus
from evalmake.executors.job_group import list_members
from evalmake.executors.job_inputs import place_inputs, write_files
from evalmake.executors.job_processes import (
    MARK,
    find_processes,
    find_shell,
    kill_processes,
    read_environments,
    send_signal,
    shell_preparation,
    shell_text,
)
from evalmake.executors.passed_environment import PASSED_ON
from evalmake.executors.secret_exports import export_lines
from evalmake.file_modes import user_umask
from evalmake.language.file_tree import read_plain_file, remove_tree
from evalmake.plugin_api.executor import Capabilities, Job, JobState, Phase
from evalmake.project.key_types import Block, define_key

_PASSED_ON = (*PASSED_ON, "CUDA_VISIBLE_DEVICES")
_MOST_SECRETS = 128 << 10
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL


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
        self._gpus = find_gpus(settings.gpus) if settings else None
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._watched: dict[str, int] = {}

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job` in its folder; OSError if the folder or the process cannot be made."""
        remove_tree(job.workdir)
        job.workdir.mkdir(0o700, parents=True)
        (job.workdir / "out").mkdir()
        write_files(job.workdir, job.files)
        place_inputs(job.workdir, job.inputs)
        environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        environment |= {**job.env, MARK: os.path.realpath(job.workdir)}
        if self._gpus is not None:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(job.gpu_ids)
        argv = [sys.executable if word == "{python}" else word for word in job.argv]
        reads_secrets = bool(secrets) and not job.secrets_from_input
        text = json.dumps(dict(secrets)).encode() if job.secrets_from_input else export_lines(secrets)
        with _open_input(text if secrets else b"") as given:
            child = subprocess.Popen(
                ["/bin/sh", "-c", shell_text(reads_secrets), f"evalmake:{job.id}", *argv],
                cwd=job.workdir,
                env=environment,
                start_new_session=True,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=shell_preparation(job.workdir),
                umask=user_umask(),
            )
        self._children[job.id] = child
        self._watch(job.id, child.pid)

    def poll(self, id: str) -> JobState:
        """Return the state of a job from its folder and the process table."""
        folder = self.root / id
        child = self._children.get(id)
        running = child.poll() is None if child else find_shell(folder) is not None
        status = _read_status(folder)
        if status is not None:
            self._unwatch(id)
            return JobState(Phase.ENDED, status, describe_exit_status(status))
        if running:
            if child is None and id not in self._watched and (pid := find_shell(folder)):
                self._watch(id, pid)
            return JobState(Phase.RUNNING)
        self._unwatch(id)
        if child is not None:
            code = child.returncode
            status = 128 - code if code < 0 else code
            return JobState(Phase.ENDED, status or 137, describe_exit_status(status or 137))
        if (folder / "pid").exists():
            return JobState(Phase.ENDED, None, "the process is gone and left no exit status")
        return JobState(Phase.UNKNOWN)

    def cancel(self, id: str) -> None:
        """Send SIGTERM to everything that the job started, and SIGKILL to what is left after five seconds."""
        found = find_processes(self.root / id, self._own_shell(id))
        send_signal(reversed(found), signal.SIGTERM)  # the shell first, which notes that its command was ended
        deadline = time.monotonic() + _GRACE
        while time.monotonic() < deadline and self._is_left(id):
            time.sleep(0.01)
        self._kill(id)

    def _is_left(self, id: str) -> bool:
        """Whether a process of the job lives. Its shell ends last, and is asked for more quickly than all processes."""
        return self._own_shell(id) is not None or bool(find_processes(self.root / id))

    def fetch(self, id: str, into: Path) -> None:
        """End what the job left running. Its outputs are in its folder already."""
        child = self._children.get(id)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)
        self._kill(id)
        self._children.pop(id, None)

    def _kill(self, id: str) -> None:
        """Kill everything of the job, and reap its shell."""
        kill_processes(self.root / id, self._own_shell(id))
        if (child := self._children.get(id)) is not None:
            child.wait()
        if (folder := self.root / id).is_dir():
            (folder / "pid").touch()  # it may have ended before it wrote its pid
        self._unwatch(id)

    def _own_shell(self, id: str) -> int | None:
        """Return the pid of a job's shell, if this evalmake started it and it runs."""
        child = self._children.get(id)
        return child.pid if child is not None and child.poll() is None else None

    def host_address(self) -> str:
        """Return the loopback address: jobs run on this host."""
        return "127.0.0.1"

    def url_from_host(self, id: str, port: int) -> str:
        """Return a URL of this host: servers run on it, too."""
        return f"http://127.0.0.1:{port}"

    def url_from_jobs(self, id: str, port: int) -> str:
        """Return the same URL: jobs run on this host."""
        return self.url_from_host(id, port)

    def gpus(self) -> tuple[str, ...] | None:
        """Return the GPUs of this machine that the settings name."""
        return self._gpus

    def waitables(self) -> list[int]:
        """Return a descriptor for each running job, which becomes readable when its shell ends."""
        return list(self._watched.values())

    def sweep(self) -> list[tuple[str, str]]:
        """Kill every process that was started in a folder of this workspace."""
        mark = os.fsencode(f"{MARK}={os.path.realpath(self.root)}/")
        found = {
            os.fsdecode(word.removeprefix(mark))
            for _, words in read_environments()
            for word in words
            if word.startswith(mark)
        }
        if self.root.is_dir():
            found |= {folder.name for folder in self.root.iterdir() if list_members(folder)}
        for id in found:
            self._kill(id)
        return [(id, f"the processes of job {id}") for id in sorted(found)]

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _watch(self, id: str, pid: int) -> None:
        """Get a descriptor that tells the end of a job, while there are many: without one, the job is polled."""
        with contextlib.suppress(OSError, AttributeError):
            handle = os.pidfd_open(pid)
            if handle < resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2:
                self._watched[id] = handle
            else:
                os.close(handle)

    def _unwatch(self, id: str) -> None:
        if (handle := self._watched.pop(id, None)) is not None:
            os.close(handle)


@contextlib.contextmanager
def _open_input(secrets: bytes) -> Iterator[int]:
    """A standard input that has the secrets: a socket, as /proc/PID/fd opens files and pipes to others, not sockets."""
    if not secrets:
        yield subprocess.DEVNULL
        return
    if len(secrets) > _MOST_SECRETS:  # more may not fit into a socket that nobody reads yet
        raise OSError(errno.E2BIG, f"the secrets of a job may have {_MOST_SECRETS >> 10} KiB in all")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(secrets)
        yield theirs.fileno()


def _read_status(folder: Path) -> int | None:
    try:
        return int(read_plain_file(folder / "status", 100))
    except (OSError, ValueError):
        return None
