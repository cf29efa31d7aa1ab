"""A node of the plan on its way to a result."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.language.values import Duration
from evalmake.planner.action import ActionResult
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import Outcome
from evalmake.run.gateways.host_gateways import At
from evalmake.servers.spec import ServerSpec

_UNHEARD = 900.0  # seconds in which the outputs of a job that is over may be out of reach


@dataclass(slots=True, eq=False)
class Task:
    """A node on its way. `excused` counts tries that failed through no fault of the job's."""

    node: Node
    executor: str
    gateways: tuple[ServerSpec, ...] = ()
    attempt: int = 0
    tries: int = 0
    excused: int = 0
    put_off: int = 0  # times that its executor could not be reached to start it
    not_before: float = 0.0
    id: str = ""
    servers: dict[str, str] = field(default_factory=dict)  # name -> the job that it began beside
    beside: At = field(default_factory=dict)  # where they are now, as its gateways know
    tokens: tuple[str, ...] = ()
    started: float = 0.0
    queued: float = 0.0  # seconds since then in which it did not run yet
    progress: tuple[int, int, int] = (0, 0, 0)
    silent_since: float = 0.0
    ended_for: str = ""  # why it was ended before its end
    last_error: str = ""  # of its model, as its gateway saw it
    cache_trouble: str = ""  # why its replies are not kept

    def unheard(self) -> bool:
        """Its outputs are out of reach: whether they were so for too long to wait on."""
        self.silent_since = self.silent_since or time.time()
        return time.time() - self.silent_since > _UNHEARD

    @property
    def needs(self) -> tuple[str, ...]:
        """The servers that it cannot do without."""
        return (*self.node.services, *(gateway.name for gateway in self.gateways))

    @property
    def ways(self) -> dict[str, str]:
        """The jobs of the gateways that it began beside: without one of them it is lost."""
        return {gateway.name: self.servers[gateway.name] for gateway in self.gateways}

    @property
    def gpus(self) -> int:
        """How many GPUs it takes itself."""
        return self.node.evaluation.variant.block.resources.gpus or 0

    @property
    def timeout(self) -> Duration:
        """How long one try may take."""
        timeout: Duration = self.node.evaluation.variant.block.timeout
        return timeout

    def result(self, status: str, outcome: Outcome, facts: Mapping[str, str]) -> ActionResult:
        """The record of a try that is over; the store adds its number and its outputs."""
        now = time.time()
        return ActionResult(
            action=self.node.action.digest,
            name=self.node.name,
            attempt=0,
            status=status,
            identity={name: part.digest for name, part in self.node.action.parts},
            outputs=(),
            scores=outcome.scores if status == "succeeded" else (),
            metric=outcome.metric,
            usage=outcome.usage,
            started=_utc(self.started),
            finished=_utc(now),
            seconds=round(now - self.started, 3),
            executor=self.executor,
            job=self.id,
            detail=outcome.error,
            facts=facts,
        )

    def failure(self, outcome: Outcome) -> Diagnostic:
        """What to tell of a task that failed for good."""
        name = self.node.name
        tries = f" after {self.tries} tries" if self.tries > 1 else ""
        return make_diagnostic(
            "evaluation-failed",
            f"{name} failed{tries}: {outcome.error}",
            self.node.evaluation.span,
            notes=[f"its model is {_whom(self.node)}", *self._last_error(outcome)],
            help=[f"its log: evalmake logs {name}"],
        )

    def _last_error(self, outcome: Outcome) -> list[str]:
        """What its model said last that was wrong, where the failure does not say it already."""
        last = self.last_error
        return [f"the last error of its model: {last}"] if last and last not in outcome.error else []


def progress_in(folder: Path, sums: Mapping[str, Any]) -> tuple[int, int, int]:
    """How far a job is: samples done, of how many, not scored; else the requests that `sums` count."""
    try:
        data = json.loads((folder / "progress.json").read_text())
        return int(data["done"]), int(data["total"]), int(data["errors"])
    except (OSError, ValueError, KeyError, TypeError):
        return int(sums.get("requests", 0)), 0, int(sums.get("failed", 0))


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _whom(node: Node) -> str:
    """The model with its address."""
    block = node.evaluation.model.block
    at = f"on deployment {block.deployment}" if block.deployment else f"at {block.endpoint}"
    return f"{node.evaluation.model.name} {at}"
