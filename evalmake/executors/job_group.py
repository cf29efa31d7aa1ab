"""A control group of the kernel (cgroup v2) for the processes of a job: none leaves it by itself, whatever it does.

A job's shell enters it before the job's command starts. evalmake can make groups as root, and in a systemd unit with
`Delegate=yes`, such as those of a user's own services. Elsewhere there are none, and `job_processes` does without.
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from hashlib import sha256
from pathlib import Path


def make_group(folder: Path) -> Path | None:
    """Make the group of the job in `folder`; None where that is not possible."""
    group = _find_group(folder)
    try:
        if group is not None:
            group.mkdir(exist_ok=True)
        return group
    except OSError:
        return None


def enter_group(group: Path) -> None:
    """Move this process into a group, as far as that is allowed; call it between fork and exec."""
    with contextlib.suppress(OSError):
        (group / "cgroup.procs").write_text("0")


def list_members(folder: Path) -> set[int]:
    """The living processes in the group of the job in `folder`, and in groups that they made within it."""
    found = set[int]()
    if (group := _find_group(folder)) is not None:
        for inner, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in Path(inner, "cgroup.procs").read_text().split()}
    return found


def remove_group(folder: Path) -> None:
    """Remove the group of a job whose processes are gone."""
    if (group := _find_group(folder)) is not None:
        for inner, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(inner)


def _find_group(folder: Path) -> Path | None:
    """Where the group of a job is, or would be; its name tells one folder from all others."""
    name = sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:20]
    own = _find_own_group()
    return own / f"evalmake-{name}" if own is not None else None


@cache
def _find_own_group() -> Path | None:
    """The folder of this process's group; None where no other can be made in it."""
    try:
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields, _, kind = line.partition(" - ")
            root, mount = fields.split()[3:5]
            if kind.startswith("cgroup2 ") and (own + "/").startswith(root.rstrip("/") + "/"):
                folder = Path(mount, os.path.relpath(own, root))
                return folder if os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK) else None
    except (OSError, ValueError, StopIteration):
        pass
    return None
