"""The events of a build, as data. `terminal.progress` turns them into sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evalmake.scoring.result_set import Score
from evalmake.servers.state import State


@dataclass(frozen=True, slots=True)
class StoreBusy:
    """Another evalmake builds with this store; `holder` says which process."""

    holder: str


@dataclass(frozen=True, slots=True)
class EnvironmentStarted:
    """The installation of an environment with these packages has begun."""

    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentProgressed:
    """An installation goes on: `doing` is the installer's last line, `seconds` how long it has taken so far."""

    name: str
    doing: str
    seconds: float


@dataclass(frozen=True, slots=True)
class EnvironmentEnded:
    """An installation is over, well or not."""

    name: str


@dataclass(frozen=True, slots=True)
class DatasetStarted:
    """The download of a data set from this address has begun."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class DatasetProgressed:
    """So many bytes of a data set have come, of so many."""

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DatasetEnded:
    """A download is over, well or not."""

    name: str


@dataclass(frozen=True, slots=True)
class SmokeStarted:
    """So many evaluations ask one question each before the build; `left_out` take no limit, so they do not."""

    to_run: int
    left_out: int


@dataclass(frozen=True, slots=True)
class SmokeSkipped:
    """No question is asked before the build, because it goes on with jobs that an earlier build left."""


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """A build begins with so many evaluations to run; `shares` says of how many of them each job is."""

    to_run: int
    shares: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobRecovered:
    """A job of an interrupted build was found again, in this phase."""

    name: str
    phase: str


@dataclass(frozen=True, slots=True)
class StoredRepliesRefused:
    """An evaluation asks its model, as the stored replies are not all that it takes, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ServerStateChanged:
    """A deployment's server has changed its state.

    `detail` is its URL once it is ready, or why it restarts or has failed; `log_tail` has the last lines
    of the log of a server that was lost.
    """

    name: str
    state: State
    detail: str = ""
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerPending:
    """A deployment is not ready yet. `doing` is its last log line, or what it waits for in a queue."""

    name: str
    doing: str
    in_queue: bool = False


@dataclass(frozen=True, slots=True)
class ExecutorUnreachable:
    """An executor cannot say how its jobs stand, and why."""

    executor: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExecutorReachable:
    """An executor that was unreachable answers again."""

    executor: str


@dataclass(frozen=True, slots=True)
class JobsQueued:
    """So many evaluations wait in an executor's queue; `reason` is that of most of them."""

    executor: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """The job of an evaluation was submitted."""

    name: str
    executor: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptProgressed:
    """An evaluation has answered `done` of `total` samples; `errors` of them are not scored."""

    name: str
    done: int
    total: int
    errors: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt is in the store, or could not be made because a server failed."""

    name: str
    status: str
    scores: tuple[Score, ...]
    metric: str
    seconds: float
    detail: str
    retrying: bool
    earlier_metric: str = ""
    """The headline metric of the last result, if that was another one."""


@dataclass(frozen=True, slots=True)
class BuildInterrupted:
    """Somebody pressed Ctrl-C while so many jobs ran."""

    running: int


Event = (
    StoreBusy
    | EnvironmentStarted
    | EnvironmentProgressed
    | EnvironmentEnded
    | DatasetStarted
    | DatasetProgressed
    | DatasetEnded
    | SmokeStarted
    | SmokeSkipped
    | BuildStarted
    | JobRecovered
    | StoredRepliesRefused
    | ServerStateChanged
    | ServerPending
    | ExecutorUnreachable
    | ExecutorReachable
    | JobsQueued
    | AttemptStarted
    | AttemptProgressed
    | AttemptEnded
    | BuildInterrupted
)
Emit = Callable[[Event], None]
