"""What an executor plugin implements: it runs jobs somewhere, such as on this host or on a cluster.

Register the class under the entry-point group `evalmake.executors`; users then write `backend = NAME`:

    [project.entry-points."evalmake.executors"]
    kubernetes = "my_package:KubernetesExecutor"

Implement `Executor`. Add the optional abilities that suit it: `SupportsPreview`, `SupportsFileUpdates`,
`ChecksUse` and `NeedsSecrets`. evalmake finds them with `isinstance`, so do not inherit from anything.

All sizes are in bytes and all times in seconds, unless a line says otherwise.

The life of a job: evalmake writes the id of a job to its journal, calls `submit`, then calls `poll` until
`JobState.is_over`, then `fetch`. A build can be killed between any two of these calls. The next build makes
a new executor with the same name and folder and calls `poll` with the same id. So a job must outlive
evalmake, and an executor must find it by its id alone.

Tell these errors apart:
- `ConnectionError`: nobody answers now; evalmake waits and tries again.
- any other `OSError`: the answer is no; its text is shown to the user.
- any other exception: a defect of the plugin.

`evalmake.testing.FakeExecutor` is a small executor to begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from evalmake.language.diagnostic import Diagnostics
from evalmake.project.declarations import Declaration


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an executor can do. evalmake refuses a plan that needs more, before anything starts."""

    images: bool = False
    """It runs jobs in container images."""
    without_image: bool = True
    """It runs jobs that name no image."""
    private_network: bool = False
    """Each job has its own network, so two servers may use the same port."""
    own_queue: bool = False
    """It has a queue of its own, so evalmake submits all jobs at once."""
    sidecar: bool = False
    """It runs `Job.sidecar` next to the job. Jobs then need not reach this host."""
    remote: bool = False
    """Jobs see no file of this host, and servers have public addresses."""
    replicas: bool = False
    """It runs all replicas of a deployment as one job at one address (`Job.replicas`)."""
    unavailable: str = ""
    """Why it cannot run at all, such as a package that is not installed; empty if it can."""


class Phase(StrEnum):
    """Where a job is in its life."""

    UNKNOWN = "unknown"  # the executor has no such job
    UNREACHABLE = "unreachable"  # nobody answers now, so the state is not known
    REFUSED = "refused"  # the job could not start, as became known only after `submit`
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobState:
    """What `poll` returns: the phase of a job, and what is known besides."""

    phase: Phase
    status: int | None = None
    """The exit status of an ended job; None if it was lost through no fault of its own, and is to run again."""
    detail: str = ""
    """One sentence for the user: why it waits, was refused or ended."""
    facts: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where it ran, for the record: the digest of its image, the id that the cluster gave it."""
    out_of_time: bool = False
    """It ended because the executor lets no job run longer, and not because anything failed."""
    unsubmitted: bool = False
    """evalmake has yet to hand the job over: it would be lost if evalmake exited."""

    @property
    def is_over(self) -> bool:
        """Whether the state can no longer change."""
        return self.phase in (Phase.ENDED, Phase.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this host that a container sees, read-only unless `writable`."""

    source: Path
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A gateway that runs next to a job, on the same node but outside the job's container.

    Run `argv` followed by the words of the job's own command (with its container, if it has an image): the
    sidecar starts that command, and ends when it ends.
    """

    argv: tuple[str, ...]
    variables: tuple[str, ...] = ()
    """Names of variables that the sidecar adds to the job's environment: pass them on into a container."""
    secrets: tuple[str, ...] = ()
    """Names of secret variables for the sidecar alone: the job must not see them."""


@dataclass(frozen=True, slots=True)
class Job:
    """What an executor runs: an evaluation or a server.

    The job runs in its own folder, with `$EVALMAKE_WORKDIR` set to it. It writes its outputs to `out/`
    there; its standard output and error go to the file `log` there. Where that folder has another path than
    `workdir`, replace `workdir` by it in `argv`, `files` and `env`. Replace the word `{python}` in `argv` by
    an interpreter.
    """

    id: str
    """Given by evalmake, and never used twice in a workspace."""
    name: str
    """For people."""
    argv: tuple[str, ...]
    workdir: Path
    """The folder of the job on this host. Empty it before you start the job."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts to write: path below `workdir` -> content."""
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Files to offer, read-only: path below `workdir` -> file of this host."""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable -> name of its secret. `submit` is given the values."""
    secrets_from_input: bool = False
    """Whether its command reads the secrets as JSON from standard input: only gateways do, which are processes of
    this host."""
    image: str | None = None
    port: int | None = None
    """The port that a server listens on; see `Executor.url_from_host`."""
    timeout: float | None = None
    """After so long evalmake cancels the job itself; a cluster may be given a little more."""
    time_left: float | None = None
    """It may run no longer than this, whatever the settings say: what is left of their `total_time`."""
    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    gpu_ids: tuple[str, ...] = ()
    """Which GPUs the job has, if `Executor.gpus` names them."""
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    """Path in the container -> what is there."""
    host_ports: tuple[int, ...] = ()
    """Ports of this host that the job must reach."""
    sidecar: Sidecar | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    """Name of a limit -> how many jobs with that name may run at once; for executors with a queue."""
    replicas: int = 1
    """How many servers the job is, if the executor has the capability `replicas`."""
    colocation_slots: int | None = None
    """How many jobs may share its allocation at once; 0: one for each CPU; None: none may."""
    multi_node_launcher: str | None = None
    """Shell words that start it on several nodes; None: it runs on one."""
    colocated_with: str | None = None
    """The id of the job whose allocation it shares."""


class Executor(Protocol):
    """Runs jobs. It never calls evalmake back. Calls about different jobs can come from several threads at once.

    Some settings mean the same for every executor. `image` is what evaluations run in if their benchmark
    names none. `secrets` are variables of its jobs whose values it has itself. `key` is a secret that
    clients of its servers must send. With `colocate = true`, evaluations of a server on this executor get
    `Job.colocated_with`. With `keep = true`, servers stay after a build. With `total_time`, a job whose end
    is `JobState.out_of_time` is resumed until its jobs ran that long in all; such an executor also has the
    setting `time`, the limit of one job.
    """

    Settings: ClassVar[type[BaseModel]]
    """The keys that its block takes in an Evalfile. They are no part of what a result depends on."""
    capabilities: ClassVar[Capabilities]

    def __init__(self, name: str, settings: Any, root: Path) -> None:
        """Set up; do not connect to anything yet.

        `name` is that of the block, `settings` an instance of `Settings`, and `root` the folder below which
        the folders of jobs are. Names of jobs elsewhere must be unique to this host, `root` and `name`.
        """

    def submit(self, job: Job, secrets: Mapping[str, str]) -> None:
        """Start `job`, or queue it; return without waiting for either.

        `secrets` maps variables to values: write them nowhere that other users can read. Raise OSError if
        the job cannot start. What only shows later, report as `Phase.REFUSED`.
        """

    def poll(self, id: str) -> JobState:
        """Return the state of the job `id`, also if another evalmake submitted it.

        Return quickly (a few milliseconds): evalmake polls every job several times a second. If nobody
        answers, return `Phase.UNREACHABLE`; do not raise.
        """

    def cancel(self, id: str) -> None:
        """End the job `id` and all that it started; return when it is over and fetched.

        Ignore unknown ids. Raise ConnectionError if nobody answers.
        """

    def fetch(self, id: str, into: Path) -> None:
        """Copy the outputs and the log of an ended job to `into`, then remove it wherever it ran.

        After a kill during `fetch`, `poll` must still return the state, and a second `fetch` must finish
        the work. Raise ConnectionError if nobody answers. Do nothing if the job is unknown.
        """

    def host_address(self) -> str:
        """Return the address at which jobs reach this host: gateways listen there. OSError if there is none."""

    def url_from_host(self, id: str, port: int) -> str:
        """Return the URL at which this host reaches the job `id` that listens on `port`; no `/` at its end.

        Raise OSError while the address is not known.
        """

    def url_from_jobs(self, id: str, port: int) -> str:
        """Return the URL at which other jobs of this executor reach the job `id`; else as `url_from_host`."""

    def gpus(self) -> tuple[str, ...] | None:
        """Return the ids of the GPUs that jobs may use, one job at a time; None if evalmake need not count them."""

    def waitables(self) -> list[int]:
        """Return file descriptors that become readable when a job changes; none if evalmake must poll."""

    def sweep(self) -> list[tuple[str, str]]:
        """End and remove everything that jobs of this workspace left, known or not (`evalmake clean`).

        Return pairs of a job's id (empty if none) and a description, such as `the container of job 1f.1`.
        """

    def close(self) -> None:
        """Release connections and threads at the end of a build. Jobs that run go on."""


@runtime_checkable
class SupportsPreview(Protocol):
    """An executor that can show what it would send, for `evalmake -n`."""

    def preview(self, job: Job) -> Any:
        """Return what `submit` would send, as JSON values, with every secret masked. Connect to nothing."""


@runtime_checkable
class SupportsFileUpdates(Protocol):
    """An executor that can change files of a running job, where its folder is not on this host."""

    def update_files(self, id: str, files: Mapping[str, str]) -> None:
        """Replace files (path below the job's folder -> content) soon; return without waiting.

        Replace each file as a whole. evalmake uses this when a server that the job asks has moved.
        """


@runtime_checkable
class ChecksUse(Protocol):
    """An executor that needs more settings for some uses than for others."""

    @staticmethod
    def check_use(executor: Declaration, serves: bool, diagnostics: Diagnostics) -> None:
        """Add to `diagnostics` what the block `executor` lacks to run deployments (`serves`), or else evaluations.

        evalmake calls it on the class, before anything starts.
        """


@runtime_checkable
class NeedsSecrets(Protocol):
    """An executor whose own settings name secrets, such as a token of an API."""

    def receive_secrets(self, reveal: Callable[[str], str]) -> None:
        """Keep `reveal`, which returns the value of a secret by its name; called once, before anything else."""
