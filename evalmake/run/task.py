"""A task: one evaluation in this build, from the queue to its last attempt.

Four words, each with one meaning: a *node* is an evaluation in the graph of the plan; a *task* is that
node in this build, from the queue to its last attempt; an *attempt* is one try of a task, with a number
in the store; a *job* is what an executor runs for an attempt, or for a server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.language.file_tree import read_plain_file
from evalmake.language.values import Duration
from evalmake.planner.action import ActionResult
from evalmake.planner.graph import Node
from evalmake.planner.stored_replies import REPLIES_OF
from evalmake.plugin_api.harness import Outcome
from evalmake.run.failure_advice import NO_REFUSAL, Refusal
from evalmake.run.time_budget import TimeBudget
from evalmake.servers.addresses import ServerAddresses
from evalmake.servers.spec import ServerSpec

_LARGEST_PROGRESS = 2**16  # bytes
_MAX_SILENCE = 900.0  # seconds to wait for the outputs of a job that is over: a login node may reboot


@dataclass(slots=True, eq=False)
class Task:
    """A node of the plan in this build, and its current attempt."""

    node: Node
    executor: str
    timeout: Duration  # of one attempt
    budget: TimeBudget  # of all of them
    gateways: tuple[ServerSpec, ...] = ()
    retries_used: int = 0  # of the evaluation's `retries`
    blameless_failures: int = 0  # attempts that failed through no fault of the job's
    submit_tries: int = 0  # submissions in a row for which the executor was unreachable
    not_before: float = 0.0  # the pause before the next attempt ends here, on the monotonic clock

    # The current attempt:
    attempt: int = 0
    job_id: str = ""
    started_by: str | None = None  # the id of the earlier build that started it; None where it is this one
    submitted_at: float = 0.0  # seconds since the epoch, for the journal
    _started_at: float = 0.0  # the same moment on the monotonic clock, which is never set
    queued_seconds: float = 0.0  # of the time since then
    server_jobs: dict[str, str] = field(default_factory=dict)  # by server: the jobs that served it at its start
    addresses: ServerAddresses = field(default_factory=dict)  # of its servers now, as its gateways know them
    tokens: tuple[str, ...] = ()  # that admit it to its gateways
    progress: tuple[int, int, int] = (0, 0, 0)  # samples done, in all, not scored
    unreachable_since: float = 0.0  # since when its outputs could not be fetched
    masked_log: tuple[int, int] = (0, 0)  # the file of its log, and up to where secrets in it are hidden
    cancel_reason: str = ""  # why evalmake ends it
    is_cancelled: bool = False  # by `evalmake cancel`: it is not tried again
    last_model_error: str = ""  # as its gateway saw it
    refusal: Refusal = NO_REFUSAL  # of a model's server, as its gateway saw it
    cache_error: str = ""  # why its replies are not cached

    def begin_attempt(self, number: int, server_jobs: dict[str, str], addresses: ServerAddresses) -> None:
        """Set everything that belongs to one attempt."""
        self.attempt = number
        self.job_id = f"{self.node.action.digest[7:19]}.{number}"
        self.start_clocks()
        self.started_by = None
        self.queued_seconds, self.unreachable_since = 0.0, 0.0
        self.cancel_reason, self.last_model_error, self.refusal, self.masked_log = "", "", NO_REFUSAL, (0, 0)
        self.server_jobs, self.addresses = server_jobs, addresses

    def start_clocks(self, submitted_at: float | None = None) -> None:
        """Count the time of the attempt from now, or from when an earlier build submitted it."""
        now = time.time()
        self.submitted_at = now if submitted_at is None else submitted_at
        self._started_at = time.monotonic() - max(0.0, now - self.submitted_at)

    @property
    def elapsed_seconds(self) -> float:
        """How long ago the attempt was submitted."""
        return time.monotonic() - self._started_at

    def mark_outputs_unreachable(self) -> None:
        """Note that the outputs cannot be fetched now."""
        self.unreachable_since = self.unreachable_since or time.monotonic()

    @property
    def outputs_given_up(self) -> bool:
        """Whether the outputs have been unreachable for too long to wait on."""
        return self.unreachable_since > 0 and time.monotonic() - self.unreachable_since > _MAX_SILENCE

    @property
    def stored_samples(self) -> str:
        """The sha256 of the stored samples that it scores again; empty if it asks."""
        return self.node.replies.samples if self.node.replies else ""

    @property
    def server_names(self) -> tuple[str, ...]:
        """The deployments and gateways that it cannot run without."""
        return (*self.node.services, *(gateway.name for gateway in self.gateways))

    @property
    def gateway_jobs(self) -> dict[str, str]:
        """By gateway: the jobs that served it at its start. Without one of them its job is lost."""
        return {gateway.name: self.server_jobs[gateway.name] for gateway in self.gateways}

    @property
    def gpus(self) -> int:
        """How many GPUs its own job takes."""
        return self.node.evaluation.variant.block.resources.gpus or 0

    def build_result(self, status: str, outcome: Outcome, facts: Mapping[str, str]) -> ActionResult:
        """The record of an attempt that is over; the store adds its number and its outputs."""
        now, seconds = time.time(), self.elapsed_seconds
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
            started=_to_iso(now - seconds),
            finished=_to_iso(now),
            seconds=round(seconds, 3),
            executor=self.executor,
            job=self.job_id,
            detail=outcome.error or outcome.cause.text,
            cause_kind="" if outcome.error else outcome.cause.kind,
            facts=facts if self.node.replies is None else {**facts, REPLIES_OF: self.node.replies.origin},
        )

    def failure_diagnostic(self, message: str, cure: str = "") -> Diagnostic:
        """The error for a task whose last attempt failed, or has a result that falls short."""
        name = self.node.name
        tries = f" after {self.retries_used} tries" if self.retries_used > 1 else ""
        unasked = self.node.evaluation.benchmark.unasked
        notes = [unasked or f"its model is {_describe_model(self.node)}"]
        if self.last_model_error and self.last_model_error not in message:
            notes.append(f"the last error of its model: {self.last_model_error}")
        return make_diagnostic(
            "evaluation-failed",
            f"{name} failed{tries}: {message}",
            self.node.evaluation.span,
            notes=notes,
            help=[*([cure] if cure else []), f"its log: evalmake logs {name}"],
            subject=name,
        )


def read_progress(folder: Path, usage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return samples done, in total and unscored; without them, the requests that the gateway has counted."""
    try:
        data = json.loads(read_plain_file(folder / "progress.json", _LARGEST_PROGRESS))
        return int(data["done"]), int(data["total"]), int(data.get("errors", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return int(usage.get("requests", 0)), 0, int(usage.get("failed", 0))


def _to_iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _describe_model(node: Node) -> str:
    """The model of an evaluation, and where it is reached."""
    block = node.evaluation.model.block
    at = f"on deployment {block.deployment}" if block.deployment else f"at {block.endpoint}"
    return f"{node.evaluation.model.name} {at}"
