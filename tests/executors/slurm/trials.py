"""Workspaces whose jobs are Slurm's: what ran is counted, and what was left is looked for."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import requires
from pathlib import Path
from textwrap import dedent
from typing import Self

import evalmake
from evalmake.executors.slurm import SlurmExecutor
from tests.support.daemons import until
from tests.support.debian import HOME
from tests.support.slurm_cluster import LIVE, Cluster
from tests.support.ssh_login import Login
from tests.support.workspaces import Bench, end_processes

EVALFILE = """\
SLOTS = 8

executor cluster {{
    backend = slurm
    poll    = 1s
    slots   = SLOTS
    {more}
}}
model nobody {{
    endpoint = "{url}"
    name     = "nobody"
}}
benchmark scripted {{
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}}
eval tried {{
    model     = nobody
    benchmark = scripted
    executor  = cluster
    resources = {{ memory = {memory}MiB }}
    retries   = {retries}
    seed      in 1..{cells}
}}
"""
NOBODY = "http://127.0.0.1:9/v1"


class Trial(Bench):
    """A workspace of cells that run a script, on a cluster, by a login node or without.

    Each script that begins leaves a line, its seed, in the file `ran`; `open` is a folder for files that
    scripts and the test both see.
    """

    def __init__(self, folder: Path, cluster: Cluster, login: Login | None = None) -> None:
        super().__init__(folder / "work")
        self.cluster, self.login = cluster, login
        self.open = folder / "open"
        for place in (self.root, self.open):
            place.mkdir()
        self.open.chmod(0o777)
        self.ran.touch()
        self.ran.chmod(0o666)
        self.env |= cluster.env
        if login:
            self.env["PATH"] = f"{login.bin}:{self.env['PATH']}"

    @property
    def ran(self) -> Path:
        """The file of seeds."""
        return self.open / "ran"

    def cells(
        self,
        count: int,
        script: str,
        *,
        more: str = "",
        retries: int = 0,
        url: str = NOBODY,
        memory: int = 200,
    ) -> None:
        """So many cells that run a script; `more` says the executor."""
        if self.login:
            more = f'host = "login"\n    python = "{far_python()}"\n    {more}'
        told = {"cells": count, "more": more, "retries": retries, "url": url, "memory": memory}
        self.evalfile(EVALFILE.format(**told))
        self.job(f'echo "$EVALMAKE_SEED" >> {self.ran}\n{dedent(script)}')

    def begun(self) -> Counter[int]:
        """How often each seed's script began."""
        return Counter(map(int, self.ran.read_text().split()))

    def names(self) -> str:
        """How the names of the workspace's jobs begin."""
        return self.executor().cluster.name_prefix

    def executor(self) -> SlurmExecutor:
        """One that knows of the workspace's jobs, and asks nothing by itself."""
        return SlurmExecutor("cluster", SlurmExecutor.Settings(), self.root / ".evalmake" / "work")

    def jobs(self, *states: str) -> list[str]:
        """The workspace's jobs that are in these states; without any, those that are not over."""
        prefix = self.names()
        return [
            id
            for id, job in self.cluster.jobs().items()
            if job["name"].startswith(prefix) and job["job_state"] in (states or LIVE)
        ]

    def array(self) -> str:
        """The array that its jobs are in."""
        known = self.cluster.jobs()
        [array] = {str(known[id]["array_job_id"] or id) for id in self.jobs()}
        return array

    def far(self) -> list[str]:
        """What the workspace has on the login node, beside what is kept there for later jobs."""
        if self.login is None:
            return []
        kept = ("inputs", "replies")
        places = self.login.home.glob(".evalmake/jobs/*/*")
        return sorted(place.name for place in places if place.name not in kept)

    def forget(self) -> Self:
        """Begin anew: nothing is on record, and nothing ran."""
        shutil.rmtree(self.root / ".evalmake", ignore_errors=True)
        self.ran.write_text("")
        return self

    def assert_each_runs_once(self, scores: dict[str, list[float]]) -> None:
        """Assert that the next build ends with these scores, that each cell ran once, and that nothing is left."""
        ended = self.run()
        assert ended.status == 0, ended.text
        assert self.scores() == scores
        begun = self.begun()
        attempts = [(one.name, one.attempt, one.status, one.detail) for one in self.attempts()]
        assert begun == Counter(range(1, len(scores) + 1)), f"begun, by seed: {dict(begun)}; attempts: {attempts}"
        assert Counter(one.status for one in self.attempts()) == {"succeeded": len(scores)}
        self.clean()

    def clean(self) -> None:
        """Assert that nothing runs, waits or lies about, here or on the cluster."""
        until(lambda: not self.jobs(), self.jobs)
        super().clean()
        assert self.far() == []


@contextlib.contextmanager
def trial(cluster: Cluster, login: Login | None = None) -> Iterator[Trial]:
    """An empty workspace that every user may enter; whatever a failed test leaves running is ended."""
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=cluster.folder))
    folder.chmod(0o755)
    made = Trial(folder, cluster, login)
    try:
        yield made
    finally:
        end_processes(made, folder)
        known = cluster.jobs()
        if left := {str(known[id]["array_job_id"] or id) for id in made.jobs() if id in known}:
            cluster.scancel(*left)


def far_python() -> Path:
    """A program that every user may run: Python with this evalmake and what it needs."""
    needs = sorted(one for one in requires("evalmake") or () if "extra ==" not in one)
    key = sha256("\n".join([sys.version, *needs]).encode()).hexdigest()[:12]
    HOME.mkdir(parents=True, exist_ok=True)
    packages = HOME / f"packages-{key}"
    with (HOME / f"packages-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packages.exists():
            _install(needs, packages)
    return _program(packages)


def _install(needs: list[str], packages: Path) -> None:
    unfinished = packages.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    argv = [sys.executable, "-m", "pip", "install", "-q", "--target", str(unfinished)]
    argv += ["--python-version", version, "--only-binary=:all:", *needs]
    subprocess.run(argv, check=True, capture_output=True)
    unfinished.rename(packages)


def _program(packages: Path) -> Path:
    """The program, beside a copy of the package as it is now."""
    package = Path(evalmake.__file__).parent
    folder = HOME / f"python-{os.getpid()}"
    program = folder / "python"
    if not program.exists():
        folder.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, folder / "evalmake", ignore=ignored)
        program.write_text(f'#!/bin/sh\nPYTHONPATH={folder}:{packages} exec /usr/bin/python3 "$@"\n')
        program.chmod(0o755)
        atexit.register(shutil.rmtree, folder)
    return program
