"""Writes into a file what a Python process starts, connects to, runs of a project, and writes beside allowed folders.

Install it as `sitecustomize.py` in a folder of PYTHONPATH: Python's audit events see all of these, whoever causes them.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_LOG = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_PROJECT = os.environ["AUDIT_PROJECT"]
_WRITABLE = tuple(os.environ["AUDIT_WRITABLE"].split(":"))
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"}
_CALLS = {"socket.connect", "socket.bind", "socket.getaddrinfo"}
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_OPENED_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def record_event(event: str, args: tuple[Any, ...]) -> None:
    """Write down an event, if a plan may not cause it."""
    if event == "exec":
        reported = os.path.abspath(getattr(args[0], "co_filename", "")).startswith(f"{_PROJECT}/data/")
    elif event == "open":
        reported = bool(args[2] & _OPENED_FOR_WRITING) and _is_elsewhere(args[0])
    elif event in _CHANGES or event == "sqlite3.connect":
        reported = _is_elsewhere(args[0])
    else:
        reported = event in _STARTS or event in _CALLS
    if reported:
        os.write(_LOG, f"{event} {args!r}\n".encode())


def _is_elsewhere(path: object) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False  # a descriptor, whose opening was an event itself
    name = os.path.abspath(os.fsdecode(path))
    return name != os.devnull and not any(name == folder or name.startswith(f"{folder}/") for folder in _WRITABLE)


sys.addaudithook(record_event)
