"""The processes that a job of this machine started, wherever they went.

A job's shell adopts the orphans among its descendants, as `init` would: the kernel calls it a child subreaper. So
what a job starts stays below its shell, even if it leaves the session and clears its environment. Where the kernel
cannot do that, or the shell was killed, evalmake still finds what is in the job's group (`job_group`), if it has one,
and what has kept $EVALMAKE_WORKDIR.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from evalmake.executors.job_group import enter_group, list_members, make_group, remove_group
from evalmake.executors.secret_exports import READ_EXPORTS
from evalmake.language.file_tree import read_plain_file

MARK = "EVALMAKE_WORKDIR"
_PR_SET_CHILD_SUBREAPER = 36
_TRIES, _PAUSE = 1000, 0.01  # seconds between two looks

_SHELL = """\
trap 'ended=143' TERM
echo $$ > pid
COMMAND > log 2>&1
echo ${ended:-$?} > .status
while left=; { read -r left < /proc/$$/task/$$/children; } 2> /dev/null; [ "$left" ]; do
    kill -9 $left 2> /dev/null
    sleep 0.01
done
mv .status status
"""
"""Runs a command, ends the orphans that it left, then writes its status; it outlives the TERM that ends the command.

(`read` fails at a line without an end, but has read it.)
"""


def shell_text(reads_secrets: bool) -> str:
    """Return the commands of a job's shell; with `reads_secrets` the job's variables in its input are secrets.

    The shell itself never has them: its environment is open to other jobs, also to those of other evaluations.
    """
    return _SHELL.replace("COMMAND", f"( {READ_EXPORTS} )" if reads_secrets else '"$@"')


def shell_preparation(folder: Path) -> Callable[[], None] | None:
    """Return what a job's shell calls between fork and exec, to enter its group and to adopt its orphans."""
    prctl, group = _find_prctl(), make_group(folder)
    if prctl is None and group is None:
        return None

    def prepare() -> None:
        if group is not None:
            enter_group(group)
        if prctl is not None:
            prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    return prepare


@cache
def _find_prctl() -> Callable[..., int] | None:
    """The function prctl(2); None where the system has none."""
    import ctypes

    try:
        function: Callable[..., int] = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return function


def find_shell(folder: Path) -> int | None:
    """Return the pid of the shell whose current folder is `folder`, if it runs."""
    path = os.path.realpath(folder)
    with contextlib.suppress(OSError, ValueError):
        pid = int(read_plain_file(folder / "pid", 100))
        return pid if _has_cwd(pid, path) else None
    if not folder.exists():
        return None
    return next((pid for pid in _list_pids() if _has_cwd(pid, path) and _is_group_leader(pid)), None)


def find_processes(folder: Path, shell: int | None = None) -> list[int]:
    """Return all living processes of the job in `folder`, its shell last: that is to adopt to the end.

    `shell` is the pid of the shell, if the caller is its parent.
    """
    mark = os.fsencode(f"{MARK}={os.path.realpath(folder)}")
    shell = shell or find_shell(folder)
    found = {pid for pid, words in read_environments() if mark in words}
    if shell is not None:
        found |= _find_descendants(shell)
    found |= list_members(folder)
    return [*sorted(found - {shell}), *([shell] if shell is not None and _is_alive(shell) else [])]


def send_signal(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes, as far as they are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_processes(folder: Path, shell: int | None = None) -> None:
    """Kill everything that the job in `folder` started: first what its shell would adopt, then the shell."""
    for _ in range(_TRIES):
        if not (found := find_processes(folder, shell)):
            break
        send_signal(found[:-1] or found, signal.SIGKILL)
        time.sleep(_PAUSE)
    remove_group(folder)


def read_environments() -> Iterator[tuple[int, list[bytes]]]:
    """Yield the environment of every process that may be read; zombies have none.

    A gateway's may not: it has the mark of the folder of its settings, which its command line names.
    """
    for pid in _list_pids():
        with contextlib.suppress(OSError):
            try:
                yield pid, _read_words(pid, "environ")
            except PermissionError:
                named = [os.path.dirname(word) for word in _read_words(pid, "cmdline") if word.startswith(b"/")]
                yield pid, [b"%b=%b" % (MARK.encode(), folder) for folder in named]


def _read_words(pid: int, name: str) -> list[bytes]:
    with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
        return file.read().split(b"\0")


def _find_descendants(ancestor: int) -> set[int]:
    """Return the living processes below one."""
    children: dict[int, list[int]] = {}
    for pid in _list_pids():
        state, parent = _read_state(pid)
        if state not in ("", "Z", "X"):
            children.setdefault(parent, []).append(pid)
    found, waiting = set[int](), [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found.update(below)
    return found


def _read_state(pid: int) -> tuple[str, int]:
    """Return the state and the parent of a process; no state where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            words = file.read().rpartition(b")")[2].split()
        return words[0].decode(), int(words[1])
    except (OSError, IndexError, ValueError):
        return "", 0


def _is_alive(pid: int) -> bool:
    return _read_state(pid)[0] not in ("", "Z", "X")


def _list_pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _has_cwd(pid: int, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == folder
    except OSError:
        return False


def _is_group_leader(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except OSError:
        return False
