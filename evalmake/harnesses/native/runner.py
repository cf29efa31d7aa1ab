"""The run: asks all items with bounded concurrency, records each sample, sums up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.client import Client
from evalmake.harnesses.native.dataset import read_files, subset
from evalmake.harnesses.native.errors import EndpointError, TaskError
from evalmake.harnesses.native.item_request import Asker
from evalmake.harnesses.native.json_io import dumps, write_atomic
from evalmake.harnesses.native.judge import Judge
from evalmake.harnesses.native.prompts import Example, Item
from evalmake.harnesses.native.sample_log import Progress, SampleLog
from evalmake.harnesses.native.scorers import Scorer, make_scorer
from evalmake.harnesses.native.settings import Settings
from evalmake.harnesses.native.summary import Tally
from evalmake.harnesses.native.task_file import Task


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be asked, checked before the first request.

    `scorer` is None for a judge and for likelihood: those ask an endpoint.
    """

    task: Task
    settings: Settings
    items: Sequence[Item]
    examples: Sequence[Example]
    scorer: Scorer | None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run: the content of scores.json, and why it is no success.

    `aborted` says that the endpoint ended it, and not that too few samples were scored.
    """

    scores: dict[str, Any]
    message: str | None
    aborted: bool

    @property
    def summary(self) -> str:
        """The headline on one line."""
        found = self.scores["scores"][self.scores["metric"]]
        spread = "" if found["stderr"] is None else f" +/- {found['stderr']:.4f}"
        asked = found["scored"] + found["unscored"]
        return f"{self.scores['metric']} {found['value']:.4f}{spread} ({found['scored']} of {asked} scored)"


def make_plan(task: Task, settings: Settings) -> Plan:
    """Read what the task names; TaskError with a line for each mistake in it."""
    if task.scorer == "judge" and settings.judge is None:
        raise TaskError("the scorer 'judge' needs EVALMAKE_JUDGE_URL")
    api = settings.model.api
    asks = task.scorer == "judge" or prompts.measures_likelihood(task, api)
    scorer = None if asks else make_scorer(task)
    examples = prompts.build_examples(task, api)
    # All records are checked, also those that the limit leaves out today.
    items = prompts.build_items(task, api, read_files(task.folder, task.files))
    chosen = {record.index for record in subset([item.record for item in items], settings.limit)}
    asked = [item for item in items if item.record.index in chosen]
    return Plan(task, settings, asked, examples, scorer)


class Run:
    """One run of a plan. `progress` can be written out at any moment, as when it is cut short."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.log = SampleLog(plan.settings.out / "samples.jsonl")
        self.tally = Tally(total=len(plan.items))
        self.progress = Progress(plan.settings.progress, len(plan.items))

    async def result(self) -> Result:
        """Ask, and write samples.jsonl and at the very last scores.json."""
        failure = None
        async with AsyncExitStack() as stack:
            asker, judge = await self._asker(stack)
            try:
                async with asyncio.TaskGroup() as group:
                    items = iter(self.plan.items)
                    for _ in range(min(self.plan.settings.concurrency, len(self.plan.items))):
                        group.create_task(self._work(items, asker))
            except* EndpointError as errors:
                failure = str(errors.exceptions[0])
        self.log.finish()
        self.progress.write()
        return self._finish(failure, asker.client.requests, judge)

    async def _work(self, items: Iterable[Item], asker: Asker) -> None:
        """Ask items until none is left in the iterator that all workers share."""
        for item in items:
            sample = await asker.ask(item)
            self.log.add(sample)
            self.tally.add(sample)
            self.progress.add(sample)

    async def _asker(self, stack: AsyncExitStack) -> tuple[Asker, Judge | None]:
        """The asker, and the judge if there is one, with their connections in the stack."""
        task, settings = self.plan.task, self.plan.settings
        client = await stack.enter_async_context(Client(settings.model, settings.concurrency))
        judge = None
        scorer = self.plan.scorer
        if task.scorer == "judge" and settings.judge is not None:
            peer = await stack.enter_async_context(Client(settings.judge, settings.concurrency))
            judge = Judge(peer, task.rubric)
            scorer = judge.score
        return Asker(task, client, settings.seed, self.plan.examples, scorer), judge

    def _finish(self, failure: str | None, requests: int, judge: Judge | None) -> Result:
        """Sum up, and write scores.json."""
        message = failure or self.tally.shortfall(self.plan.task.coverage)
        status = "success" if message is None else "partial"
        if failure or not self.tally.scored:
            status = "failed"
        metric = self.tally.metric("f1" if self.plan.task.scorer == "f1" else "accuracy")
        scores = self.tally.result(status, metric, requests)
        if judge is not None:
            scores["usage"]["judge"] = judge.usage
        write_atomic(self.plan.settings.out / "scores.json", [dumps(scores), b"\n"])
        return Result(scores, message, aborted=failure is not None)
