"""What an evaluation took of machines that have a price: seconds, by the shape of the machine.

A server's time since it was last asked about is that of the evaluation that ends now, so that the
records of all that used it add up to how long it was there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from evalmake.plugin_api.harness import Outcome
from evalmake.run.task import Task
from evalmake.scoring.result_set import SECONDS_ON
from evalmake.servers.failure import Server
from evalmake.servers.pool import ServerPool

_COUNTED = "counted"
"""In a server's folder: until when its time is on record."""


def counted(outcome: Outcome, task: Task, facts: Mapping[str, str], services: ServerPool) -> Outcome:
    """The outcome, its usage with the time of the task's own machine and of its servers'."""
    took: dict[str, float] = {}

    def add(shape: str, seconds: float) -> None:
        key = f"{SECONDS_ON}{shape}"
        took[key] = round(took.get(key, 0.0) + seconds, 3)

    if shape := facts.get("shape"):
        add(shape, float(facts.get("seconds", 0)))
    for one in _up(services, task.node.services):
        told = services.executors[one.what.executor].poll(one.id).facts
        if shape := told.get("shape"):
            folder = services.job_builder.job_folder(one.id)
            add(shape, _since(folder, one.begun) * int(told.get("replicas", 1)))
    return replace(outcome, usage={**outcome.usage, **took})


def _up(services: ServerPool, names: Iterable[str]) -> list[Server]:
    return [one for name in names for one in services.groups[name] if one.state == "ready"]


def _since(folder: Path, begun: float) -> float:
    """The seconds since this was asked last, or since the server was begun."""
    now, file = time.time(), folder / _COUNTED
    with contextlib.suppress(OSError, ValueError):
        begun = max(begun, float(file.read_text()))
    with contextlib.suppress(OSError):
        file.write_text(str(now))
    return max(0.0, now - begun)
