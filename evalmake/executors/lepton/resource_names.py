"""What things of evalmake's are called in a workspace: found again by whoever knows where evalmake runs."""

from __future__ import annotations

import os
import re
import socket
from hashlib import sha256
from pathlib import Path

LONGEST = 36
WORKSPACE, JOB = "evalmake-workspace", "evalmake-job"
"""Labels of a job."""
RESERVED = frozenset(
    f"/{name}".rstrip("/")
    for name in (
        "",
        "bin",
        "boot",
        "dev",
        "etc",
        "lib",
        "lib64",
        "media",
        "opt",
        "proc",
        "run",
        "sbin",
        "srv",
        "sys",
        "usr",
        "usr/bin",
        "usr/lib",
        "usr/local",
        "usr/sbin",
        "var",
        "sys/fs/cgroup",
        "sys/kernel/security",
        "proc/sys",
        "proc/bus",
    )
)
"""Where Lepton mounts nothing."""


def key_of(root: Path, executor: str) -> str:
    """What tells the jobs of one executor of one of evalmake's workspaces from those of others."""
    place = f"{socket.gethostname()}\0{os.path.realpath(root)}\0{executor}"
    return sha256(place.encode()).hexdigest()[:12]


def prefix(key: str) -> str:
    """How all names of that executor's begin."""
    return f"em-{key[:8]}-"


def job_name(key: str, id: str) -> str:
    """A job's name: letters, digits and hyphens, 36 at most."""
    plain = re.sub(r"[^a-z0-9]+", "-", id.lower()).strip("-")
    name = f"{prefix(key)}{plain}"
    return name if len(name) <= LONGEST else f"{prefix(key)}{sha256(id.encode()).hexdigest()[:20]}"


def endpoint_name(key: str, id: str) -> str:
    """An endpoint's name: that of what is served, however often it is started."""
    return job_name(key, id.rpartition(".")[0])


def secret_name(of: str, variable: str) -> str:
    """The name of a job's or endpoint's own secret."""
    return f"{of}-{variable}"
