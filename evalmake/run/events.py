"""What happened, as data; `ui.progress` makes words of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalmake.scoring.result_set import Score


@dataclass(frozen=True, slots=True)
class StoreBusy:
    """Another evalmake builds with this store; `holder` says who."""

    holder: str


@dataclass(frozen=True, slots=True)
class EnvironmentStarted:
    """An environment is being built of these packages."""

    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """A build begins with so many evaluations to run and so many to reuse."""

    to_run: int
    to_reuse: int


@dataclass(frozen=True, slots=True)
class JobRecovered:
    """A job of an interrupted build was found again."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class ServerStateChanged:
    """A deployment is `starting`, `ready`, `restarting`, `stopped` or `failed`.

    `detail` is where it is ready, or why it is not; `tail` has the last lines of the log that it left.
    """

    name: str
    state: str
    detail: str = ""
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerPending:
    """A deployment is still starting, and was last heard of `doing` this; or it waits in a queue for that."""

    name: str
    doing: str
    queued: bool = False


@dataclass(frozen=True, slots=True)
class ExecutorUnreachable:
    """An executor cannot say how its jobs stand, and `why`; with no reason, it can again."""

    executor: str
    why: str


@dataclass(frozen=True, slots=True)
class JobsQueued:
    """So many evaluations wait in an executor's queue, and `why` most of them do."""

    executor: str
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An evaluation was submitted."""

    name: str
    executor: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptProgressed:
    """An evaluation has answered `done` of `total` samples, `errors` of them not scored."""

    name: str
    done: int
    total: int
    errors: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt is on record."""

    name: str
    status: str
    scores: tuple[Score, ...]
    metric: str
    seconds: float
    detail: str
    retrying: bool


@dataclass(frozen=True, slots=True)
class BuildInterrupted:
    """Ctrl-C was pressed, for the first time or again."""

    running: int
    again: bool


Event = (
    StoreBusy
    | EnvironmentStarted
    | BuildStarted
    | JobRecovered
    | ServerStateChanged
    | ServerPending
    | ExecutorUnreachable
    | JobsQueued
    | AttemptStarted
    | AttemptProgressed
    | AttemptEnded
    | BuildInterrupted
)
Emit = Callable[[Event], None]
