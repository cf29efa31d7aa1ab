"""An executor runs jobs; entry-point group `evalmake.executors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an executor can do, as data; `missing` says why it cannot run at all, if it cannot."""

    images: bool = False
    bare: bool = True  # a job may name no image
    gpus: bool = False
    services: bool = False
    isolated: bool = False  # each job has a network of its own: ports of servers do not clash
    reattach: bool = True
    queues: bool = False  # it has a queue of its own, and is given all jobs at once
    sidecar: bool = False  # a job brings the gateways to its models, and runs them beside itself
    remote: bool = False  # jobs see nothing of this host, and servers have public addresses
    replicas: bool = False  # it runs all servers of a deployment as one job, at one address
    missing: str = ""


class Phase(StrEnum):
    """Where a job stands."""

    UNKNOWN = "unknown"  # this executor has never heard of it
    UNREACHABLE = "unreachable"  # this executor cannot say now
    REFUSED = "refused"  # it could not be started, which showed only after `submit`
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobState:
    """A job's phase, its exit status once ended, and why in words where the executor knows.

    `facts` are what the record says of where it ran, such as the digest of its image. A job that is
    `held` waits in evalmake, and would be gone with it.
    """

    phase: Phase
    status: int | None = None
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict, compare=False)
    held: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more is to come of the job."""
        return self.phase in (Phase.ENDED, Phase.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this host that a container has too, to read only unless it is `writable`."""

    source: Path
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What runs beside a job, on its host though the job be in a container: `argv` stands before its own.

    `variables` are those that it adds to the job's, `secrets` those variables that are its alone.
    """

    argv: tuple[str, ...]
    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """An action made runnable. `id` is evalmake's and journaled before `submit`; secrets are names."""

    id: str
    name: str
    argv: tuple[str, ...]
    workdir: Path
    files: Mapping[str, str] = field(default_factory=dict)  # small texts to write into workdir
    inputs: Mapping[str, Path] = field(default_factory=dict)  # relative name -> file to offer there
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # variable -> name of the secret
    image: str | None = None
    port: int | None = None  # that it serves on, to be reached by `where`
    timeout: float | None = None  # seconds
    cpus: float | None = None
    memory: int | None = None  # bytes
    gpus: int | None = None
    devices: tuple[str, ...] = ()  # the GPUs that are its own, where its executor counts them
    mounts: Mapping[str, Mount] = field(default_factory=dict)  # path in the container -> what it is
    host_ports: tuple[int, ...] = ()  # ports of this host that it must reach
    sidecar: Sidecar | None = None
    limits: Mapping[str, int] = field(default_factory=dict)  # how many with that name may run at once
    replicas: int = 1  # how many servers it is, where its executor runs them as one job
    colocation_slots: int | None = None
    """How many jobs may share its allocation at once; 0: as many as it has CPUs; None: none may."""
    multi_node_launcher: str | None = None
    """Shell words that start it on several nodes; None: it runs on one."""
    colocated_with: str | None = None
    """The job whose allocation it is to share."""


class Executor(Protocol):
    """Runs jobs. Synchronous: `poll` is cheap, and nothing calls back.

    Where its jobs are may be out of reach for a while: `poll` then says `UNREACHABLE`, and what else
    cannot be done without raises ConnectionError, an OSError that may pass.

    Four things that an executor may have beside these: `reveal: Callable[[str], str]`, set before it is
    used, gives the values of the secrets that its settings name; `check_use(executor: Declared, serves:
    bool, found: Diagnostics)` adds to `found` what it lacks to run evaluations, or deployments;
    `preview(job: Job)` is what it would ask for, without any secret, as JSON has it; `tell(id: str,
    files: Mapping[str, str])` replaces files of a running job's folder where that is not on this host,
    as soon as can be. Where its settings have a secret `key`, it is what its servers ask of those who
    use them. Where they have a true `colocate`, jobs that ask one of its servers are `colocated_with` that
    server's job.
    """

    Settings: ClassVar[type[BaseModel]]
    capabilities: ClassVar[Capabilities]

    def __init__(self, name: str, settings: Any, root: Path) -> None: ...

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job`; `secrets` are variables with their values. OSError when it cannot be."""

    def poll(self, id: str) -> JobState:
        """How `id` stands, also when another evalmake submitted it."""

    def cancel(self, id: str) -> None:
        """End `id` and all it started; returns when it is over. Unknown ids are ignored."""

    def fetch(self, id: str, into: Path) -> None:
        """Bring `id`'s outputs and log to `into` (nothing to do where they lie there already)."""

    def host_address(self) -> str:
        """The address by which jobs reach this host: gateways listen there for them."""

    def url_from_host(self, id: str, port: int) -> str:
        """The URL by which `id`, which serves on `port`, is reached from this host."""

    def url_from_jobs(self, id: str, port: int) -> str:
        """The URL by which other jobs of this executor reach `id`."""

    def gpus(self) -> tuple[str, ...] | None:
        """The names of the GPUs that jobs may have, one job at a time; None where none are counted."""

    def waitables(self) -> list[int]:
        """File descriptors that become readable when a job ends; none: the scheduler polls."""

    def sweep(self) -> list[tuple[str, str]]:
        """End and remove all that is left of this workspace's jobs, known or not: ids and words."""

    def close(self) -> None:
        """A build is over: let go of what no job needs any more."""
