"""The four protocols a plugin implements, and what passes through them: a plugin author's one page.

Each is an entry-point group: `evalmake.executors`, `evalmake.harnesses`, `evalmake.engines`,
`evalmake.exporters`. evalmake's own are registered the same way. A plugin's `Settings` is a
`project.schema.Block`; its fields are the keys an Evalfile may write beside the kind's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from evalmake.planner.results import ResultSet, Score
from evalmake.project.declare import Declared
from evalmake.project.expand import Evaluation


@dataclass(frozen=True, slots=True)
class Offers:
    """What an executor can do, as data; `missing` says why it cannot run at all, if it cannot."""

    images: bool = False
    bare: bool = True  # a job may name no image
    gpus: bool = False
    services: bool = False
    isolated: bool = False  # each job has a network of its own: ports of servers do not clash
    reattach: bool = True
    queues: bool = False  # it has a queue of its own, and is given all jobs at once
    beside: bool = False  # a job brings the gateways to its models, and runs them beside itself
    remote: bool = False  # jobs see nothing of this host, and servers have public addresses
    replicas: bool = False  # it runs all servers of a deployment as one job, at one address
    missing: str = ""


class Phase(StrEnum):
    """Where a job stands."""

    UNKNOWN = "unknown"  # this executor has never heard of it
    UNSEEN = "unseen"  # this executor cannot say now
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
class Beside:
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
    asks: tuple[int, ...] = ()  # ports of this host that it must reach
    beside: Beside | None = None
    limits: Mapping[str, int] = field(default_factory=dict)  # how many with that name may run at once
    replicas: int = 1  # how many servers it is, where its executor runs them as one job
    guests: int | None = None  # how many jobs at once may be `within` it, 0: as many as it has CPUs
    spread: str | None = None  # it may run on several nodes: words of the shell that its command is given there
    within: str | None = None  # the job whose allocation it is to share, if that takes `guests`


class Executor(Protocol):
    """Runs jobs. Synchronous: `poll` is cheap, and nothing calls back.

    Where its jobs are may be out of reach for a while: `poll` then says `UNSEEN`, and what else
    cannot be done without raises ConnectionError, an OSError that may pass.

    Four things that an executor may have beside these: `reveal: Callable[[str], str]`, set before it is
    used, gives the values of the secrets that its settings name; `check_use(executor: Declared, serves:
    bool, found: Diagnostics)` adds to `found` what it lacks to run evaluations, or deployments;
    `preview(job: Job)` is what it would ask for, without any secret, as JSON has it; `tell(id: str,
    files: Mapping[str, str])` replaces files of a running job's folder where that is not on this host,
    as soon as can be. Where its settings have a secret `key`, it is what its servers ask of those who
    use them. Where they have a true `colocate`, jobs that ask one of its servers are `within` that
    server's job.
    """

    Settings: ClassVar[type[BaseModel]]
    offers: ClassVar[Offers]

    def __init__(self, name: str, settings: Any, root: Path) -> None: ...

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job`; `secrets` are variables with their values. OSError when it cannot be."""

    def poll(self, id: str) -> JobState:
        """How `id` stands, also when another evalmake submitted it."""

    def cancel(self, id: str) -> None:
        """End `id` and all it started; returns when it is over. Unknown ids are ignored."""

    def fetch(self, id: str, into: Path) -> None:
        """Bring `id`'s outputs and log to `into` (nothing to do where they lie there already)."""

    def here(self) -> str:
        """The address by which jobs reach this host: gateways listen there for them."""

    def where(self, id: str, port: int) -> str:
        """The URL by which `id`, which serves on `port`, is reached from this host."""

    def inside(self, id: str, port: int) -> str:
        """The URL by which other jobs of this executor reach `id`."""

    def gpus(self) -> tuple[str, ...] | None:
        """The names of the GPUs that jobs may have, one job at a time; None where none are counted."""

    def waitables(self) -> list[int]:
        """File descriptors that become readable when a job ends; none: the scheduler polls."""

    def sweep(self) -> list[tuple[str, str]]:
        """End and remove all that is left of this workspace's jobs, known or not: ids and words."""

    def close(self) -> None:
        """A build is over: let go of what no job needs any more."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a harness wants run: `{python}` in argv is an interpreter that has evalmake.

    For a harness with a `program`, it is one that has that: where a benchmark names `packages`, that of
    their environment.
    """

    argv: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a harness's outputs say: scores, or why there are none. `metric` is the headline one."""

    scores: tuple[Score, ...] = ()
    metric: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """What a harness or engine runs and does not bring: a module, and the `packages` that it takes.

    An engine's is known by its `command`, which must be found where there are no packages.
    """

    module: str
    requirement: str
    others: tuple[str, ...] = ()
    command: str = ""

    @property
    def distribution(self) -> str:
        """The requirement's name, as package indexes normalise it."""
        name = re.split(r"[^\w.-]", self.requirement, maxsplit=1)[0]
        return re.sub(r"[-_.]+", "-", name).lower()


class Harness(Protocol):
    """Writes the command of an evaluation and reads its outputs.

    `behaviour` is raised when what it asks of the model or how it scores changes, and only then:
    it is part of every identity.  Two functions that a harness may have beside these add to
    `found: Diagnostics` what would only fail when it runs: `check_benchmark(benchmark: Declared,
    found)` as an Evalfile is loaded, `check_cell(cell: Evaluation, models: Mapping[str, Declared],
    found)` for each pairing with a model that was asked for.  A harness that runs a program of
    someone else's names it as `program: ClassVar[Program]`; where it is lacking, evalmake says so.
    """

    Settings: ClassVar[type[BaseModel]]
    behaviour: ClassVar[int]
    needs: ClassVar[str]  # "" | why it cannot run in this installation

    def command(self, evaluation: Evaluation) -> Command:
        """The command; it says $EVALMAKE_MODEL_URL, never a URL."""

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Judge an ended run by its exit status and what lies in `outputs`."""


@dataclass(frozen=True, slots=True)
class Service:
    """How a deployment is served: the server writes its port to `port_file` once it listens.

    One that must be told its port says `{port}` in `argv` or `env`, and `{host}` for the address to
    listen on. `mounts` are what a container has of this host; words of `argv` and values of `env` that
    are the path of one stand, where there is no container, for what lies there on this host. `model` is
    the name by which the server knows its model, where it takes none that is given to it. `spread` are words
    of the shell that it is given where it is run on several nodes at once, each of which is told how many
    these are, which it is, and the address of the first, 0: $EVALMAKE_NODES, $EVALMAKE_NODE, $EVALMAKE_HEAD.
    None of them: it cannot be.
    """

    argv: tuple[str, ...]
    port_file: str = "port"
    port: int | None = None  # a fixed one, where the server cannot choose
    health: str = "/health"
    base: str = "/v1"
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    model: str = ""
    spread: str | None = None


class Engine(Protocol):
    """Says how a deployment is served; `Args`, where there is one, checks its `args`.

    Beside these an engine may have a function `check_deployment(deployment: Declared, found:
    Diagnostics)`, which adds to `found` what would only fail when it is served. One that runs a program
    of someone else's names it as `program: ClassVar[Program]`: where there is neither an image nor, in
    its `Settings`, `packages` that have it, it must be installed, and evalmake says so where it is not.
    """

    Settings: ClassVar[type[BaseModel]]
    Args: ClassVar[type[BaseModel] | None]
    behaviour: ClassVar[int]
    needs: ClassVar[str]

    def serve(self, deployment: Declared) -> Service:
        """The server's command, readiness probe and API path."""


class Exporter(Protocol):
    """Writes a report."""

    Settings: ClassVar[type[BaseModel]]

    def export(self, results: ResultSet, path: Path) -> None:
        """Write `path` atomically: the same results give the same bytes."""


class Registry(Protocol):
    """The installed plugins, loaded when first asked for."""

    def names(self, group: str) -> tuple[str, ...]:
        """The names in a group, nothing imported."""

    def get(self, group: str, name: str) -> Any:
        """The plugin class; KeyError when there is none."""
