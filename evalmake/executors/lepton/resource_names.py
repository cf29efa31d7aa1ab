"""Names of jobs, endpoints and secrets in Lepton. They follow from where evalmake runs, so it finds them again."""

from __future__ import annotations

import os
import re
import socket
from hashlib import sha256
from pathlib import Path

LONGEST_NAME = 36
WORKSPACE, JOB = "evalmake-workspace", "evalmake-job"
"""Labels of a job."""
RESERVED_TARGETS = frozenset(
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


def executor_key(root: Path, executor: str) -> str:
    """Return a key that tells the jobs of one executor in one workspace of evalmake from those of others."""
    place = f"{socket.gethostname()}\0{os.path.realpath(root)}\0{executor}"
    return sha256(place.encode()).hexdigest()[:12]


def name_prefix(key: str) -> str:
    """Return the beginning of all names of an executor."""
    return f"em-{key[:8]}-"


def job_name(key: str, id: str) -> str:
    """Return the name of a job: at most 36 letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", id.lower()).strip("-")
    name = f"{name_prefix(key)}{plain}"
    return name if len(name) <= LONGEST_NAME else f"{name_prefix(key)}{sha256(id.encode()).hexdigest()[:20]}"


def endpoint_name(key: str, id: str) -> str:
    """Return the name of an endpoint: it stays the same however often the server is started."""
    return job_name(key, id.rpartition(".")[0])


def secret_name(owner: str, variable: str) -> str:
    """Return the name of a secret of a job or endpoint."""
    return f"{owner}-{variable}"
