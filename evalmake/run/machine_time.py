"""The time of machines that have a price, in an evaluation's usage: seconds by the shape of the machine, or of GPUs.

A server's time is divided among the evaluations that use it: the one that ends gets the time since the
last one ended. So the records of all of them add up to the time that the server ran.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evalmake.planner.node_prices import find_prices
from evalmake.plugin_api.harness import Outcome
from evalmake.run.job_builder import JobBuilder
from evalmake.run.task import Task
from evalmake.scoring.cost import COST, GPU_SECONDS_ON, reckon_cost
from evalmake.scoring.result_set import SECONDS_ON
from evalmake.servers.pool import ServerPool
from evalmake.servers.state import State

_RECORDED_UNTIL = "counted"
"""The file in a server's folder that says until when its time is recorded."""


def add_machine_time(
    outcome: Outcome, task: Task, facts: Mapping[str, str], servers: ServerPool, job_builder: JobBuilder
) -> Outcome:
    """The outcome with the time of the task's own machine and of its servers' machines in its usage, and its cost."""
    usage: dict[str, float] = {}

    def add(shape: str, seconds: float) -> None:
        key = f"{SECONDS_ON}{shape}"
        usage[key] = round(usage.get(key, 0.0) + seconds, 3)

    def add_gpus(executor: str, seconds: float) -> None:
        key = f"{GPU_SECONDS_ON}{executor}"
        usage[key] = round(usage.get(key, 0.0) + seconds, 3)

    if shape := facts.get("shape"):
        add(shape, float(facts.get("seconds", 0)))
    elif task.gpus:
        add_gpus(task.executor, task.gpus * max(0.0, task.elapsed_seconds - task.queued_seconds))
    ready = [s for name in task.node.services for s in servers.groups[name] if s.state is State.READY]
    for server in ready:
        machine = servers.executors[server.spec.executor].poll(server.job_id).facts
        if shape := machine.get("shape"):
            folder = job_builder.job_folder(server.job_id)
            add(shape, _take_unrecorded_time(folder, server.submitted_at) * int(machine.get("replicas", 1)))
        elif gpus := server.spec.declaration.block.resources.gpus:
            folder = job_builder.job_folder(server.job_id)
            add_gpus(server.spec.executor, gpus * _take_unrecorded_time(folder, server.runs_since))
    prices = find_prices(job_builder.project, task.node)
    cost = reckon_cost({**outcome.usage, **usage}, prices)
    usage |= {f"{COST}{currency}": round(amount, 9) for currency, amount in cost.items()}
    return replace(outcome, usage={**outcome.usage, **usage})


def _take_unrecorded_time(folder: Path, submitted_at: float) -> float:
    """The seconds of a server that no record has yet; they count as recorded from now on.

    Builds that follow each other share the server, so this is the time of day, and a clock that is set shows.
    """
    now, file, since = time.time(), folder / _RECORDED_UNTIL, submitted_at
    with contextlib.suppress(OSError, ValueError):
        since = max(since, float(file.read_text()))
    with contextlib.suppress(OSError):
        file.write_text(str(now))
    return max(0.0, now - since)
