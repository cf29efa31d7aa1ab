"""Runs a task: requests all items with bounded concurrency, records each sample, writes the scores."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.check_types import PASSED
from evalmake.harnesses.native.client import Client
from evalmake.harnesses.native.errors import EndpointError, MissingReply, TaskError
from evalmake.harnesses.native.item_requester import ItemRequester
from evalmake.harnesses.native.json_io import dumps, write_atomic
from evalmake.harnesses.native.prompts import Example, Item
from evalmake.harnesses.native.record_checks import list_checks
from evalmake.harnesses.native.records import read_records
from evalmake.harnesses.native.repeats import RepeatedItems, repeat_items
from evalmake.harnesses.native.reply_scoring import ReplyScoring
from evalmake.harnesses.native.sample_log import Progress, Sample, SampleLog
from evalmake.harnesses.native.sampling import rank_records, sample_records
from evalmake.harnesses.native.scorers import Scorer, make_scorer
from evalmake.harnesses.native.settings import Endpoint, Settings
from evalmake.harnesses.native.summary import Tally
from evalmake.harnesses.native.task_file import Task
from evalmake.scoring.numbers import format_estimate
from evalmake.scoring.repeated_samples import ALIKE, REPEATS
from evalmake.scoring.sample_counts import STORED_REPLIES, TIES, WITHOUT_ANSWER

if TYPE_CHECKING:
    from evalmake.harnesses.native.answer_scoring import AnswerScoring
    from evalmake.harnesses.native.embedder import Embedder
    from evalmake.harnesses.native.judge import Judge
    from evalmake.harnesses.native.stop_sequence import StopSequence
    from evalmake.harnesses.native.stored_replies import StoredReplyScoring

    Requester = ItemRequester | AnswerScoring | StoredReplyScoring


@dataclass(frozen=True, slots=True)
class Plan:
    """All requests of a run, checked before the first is sent.

    `scorers` has those that the items need, by name; not a judge or likelihood, which send requests of their own.
    """

    task: Task
    settings: Settings
    items: Sequence[Item]
    examples: Sequence[Example]
    scorers: Mapping[str, Scorer]

    @property
    def headline(self) -> str:
        """The metric that stands for the run, if it is scored."""
        return find_headline(self.task, self.items)

    def count_expected(self) -> dict[str, int]:
        """How many items can have each metric that not all have: those with checks of that type."""
        return count_expected(self.items)

    @property
    def asks_judge(self) -> bool:
        """Whether a judge scores an item."""
        return self.has_check("judge") or any("judge" in item.scorers for item in self.items)

    def has_check(self, kind: str) -> bool:
        """Whether an item has a check of a kind."""
        return any(check.kind == kind for item in self.items for check in list_checks(item.checks))


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run: the content of scores.json, and the message if it failed.

    `aborted` is true if the endpoint ended the run, false if no sample was scored.
    """

    scores: dict[str, Any]
    message: str | None
    aborted: bool

    @property
    def summary(self) -> str:
        """The headline on one line."""
        found = self.scores["scores"][self.scores["metric"]]
        text = format_estimate(found["value"], found["low"], found["high"])
        asked = found["scored"] + found["unscored"]
        return f"{self.scores['metric']} {text} ({found['scored']} of {asked} scored)"


def find_headline(task: Task, items: Sequence[Item]) -> str:
    """The metric that stands for a run of these items, if it is scored."""
    if task.named:
        return task.scorer[0]
    if task.record_scorer is None and not task.scorer:
        return PASSED
    return "f1" if all(item.scorers == ("f1",) for item in items) else "accuracy"


def count_expected(items: Iterable[Item]) -> dict[str, int]:
    """How many items can have each metric that not all have: those with checks of that type."""
    return dict(Counter(type for item in items for type in {check.type for check in item.checks}))


def make_plan(task: Task, settings: Settings) -> Plan:
    """Read the files that the task names; TaskError with a line for each error."""
    api = settings.model.api if settings.model else "chat"
    if api == "completions" and (task.messages or task.tools or task.image or task.audio):
        raise TaskError(
            "messages, tools, image and audio are for the chat API, and EVALMAKE_MODEL_API is 'completions'"
        )
    examples = prompts.build_examples(task, api)
    # Check all records, also those that the limit leaves out: raising it must not find new errors.
    items = prompts.build_items(task, api, read_records(task))
    names = {name for item in items for name in item.scorers}
    if "judge" in names and settings.judge is None:
        raise TaskError("the scorer 'judge' needs EVALMAKE_JUDGE_URL")
    by_likelihood = {"choice"} if any(prompts.measures_likelihood(item.scorers, api) for item in items) else set[str]()
    own = names - {"judge"} - by_likelihood
    scorers = {name: make_scorer(task, name) for name in sorted(own)}
    records = [item.record for item in items]
    chosen = {record.index for record in sample_records(records, settings.limit, task.limit_by)}
    asked = order_items([item for item in items if item.record.index in chosen], task)
    plan = Plan(task, settings, asked, examples, scorers)
    if plan.asks_judge and settings.judge is None:
        raise TaskError("checks by a judge need EVALMAKE_JUDGE_URL")
    if plan.has_check("similar") and settings.embedder is None:
        raise TaskError("checks of the type 'similar' need EVALMAKE_EMBEDDER_URL")
    return plan


def order_items(items: Sequence[Item], task: Task) -> Sequence[Item]:
    """Items in the order in which they are asked: that of the data, or a random one if asking may stop early.

    An item that is asked several times is there so often.
    """
    if task.repeats > 1:
        return repeat_items(items, task.repeats)
    if task.until is None:
        return items
    by_index = {item.record.index: item for item in items}
    return [by_index[record.index] for record in rank_records(item.record for item in items)]


class Run:
    """One run of a plan. `progress` can be written at any moment, also when a signal ends the run."""

    def __init__(self, plan: Plan, connect: Callable[[Endpoint], Client] = Client) -> None:
        self.plan = plan
        self.connect = connect
        self.log = SampleLog(plan.settings.out / "samples.jsonl")
        self.tally = Tally(total=len(plan.items), expected=plan.count_expected())
        self.progress = Progress(plan.settings.progress, len(plan.items))
        self.embedder: Embedder | None = None
        self.repeated = RepeatedItems(plan.task, plan.items, plan.headline) if plan.task.repeats > 1 else None
        self.sequence: StopSequence | None = None
        if (rule := plan.task.until) is not None:
            from evalmake.harnesses.native.stop_sequence import StopSequence

            self.sequence = StopSequence(rule, plan.headline, 2 * plan.settings.concurrency)
            self.tally.sequential = True

    async def result(self) -> Result:
        """Send all requests; write samples.jsonl, then scores.json.

        Raises OSError where they cannot be written, MissingReply where a stored sample is not what it takes.
        """
        failure = interruption = None
        with ExitStack() as stack:
            requester, judge = self.build_requester(stack)
            try:
                async with asyncio.TaskGroup() as group:
                    items = iter(enumerate(self.plan.items))
                    for _ in range(min(self.workers, len(self.plan.items))):
                        group.create_task(self.request_items(items, requester))
            except* EndpointError as errors:
                failure = str(errors.exceptions[0])
            except* (OSError, MissingReply) as errors:
                interruption = errors.exceptions[0]
            if interruption is not None:
                raise interruption
            failure = failure or requester.describe_constant()
        for sample in self.repeated.flush() if self.repeated else ():
            self._count(sample)
        self.log.finish()
        self.progress.write()
        return self._write_scores(failure, requester, judge)

    @property
    def workers(self) -> int:
        """How many items are in work at a time: one where asking may stop early, and stored replies with it."""
        is_stored = self.plan.task.samples is not None
        return 1 if is_stored and self.sequence is not None else self.plan.settings.concurrency

    async def request_items(self, items: Iterable[tuple[int, Item]], requester: Requester) -> None:
        """Request items until the iterator that all workers share is empty, or enough is asked."""
        for place, item in items:
            if self.sequence is not None:
                await self.sequence.wait_for(place)
                if self.sequence.ended:
                    return
            sample = await requester.request(item)
            for counted in self._take(place, sample):
                self._count(counted)

    def _take(self, place: int, sample: Sample) -> Iterable[Sample]:
        """The samples that count from now on: this one, if it need not wait for others."""
        if self.sequence is not None:
            return self.sequence.add(place, sample)
        return (sample,) if self.repeated is None else self.repeated.add(sample)

    def _count(self, sample: Sample) -> None:
        self.log.add(sample)
        self.tally.add(sample)
        self.progress.add(sample)

    def build_requester(self, stack: ExitStack) -> tuple[Requester, Judge | None]:
        """Build the requester, and the judge if there is one; the stack closes their connections."""
        task, settings = self.plan.task, self.plan.settings
        judge, scorers = None, dict(self.plan.scorers)
        if settings.judge is not None and self.plan.asks_judge:
            from evalmake.harnesses.native.judge import Judge

            peer = stack.enter_context(self.connect(settings.judge))
            judge = Judge(peer, task.judge_format)
            scorers["judge"] = judge.score
        scoring = ReplyScoring(task, scorers)
        if settings.embedder is not None and self.plan.has_check("similar"):
            from evalmake.harnesses.native.embedder import Embedder

            self.embedder = Embedder(stack.enter_context(self.connect(settings.embedder)))
            scoring.compare = self.embedder.compare
        if settings.model is None:
            from evalmake.harnesses.native.answer_scoring import AnswerScoring

            return AnswerScoring(scoring), judge
        if task.samples is not None:
            from evalmake.harnesses.native.expected_request import RequestSettings
            from evalmake.harnesses.native.stored_replies import StoredReplyScoring

            model = settings.model
            asked = RequestSettings(model.api, model.name, model.params, settings.seed, task.seed_step)
            return StoredReplyScoring(task, asked, self.plan.examples, scoring), judge
        client = stack.enter_context(self.connect(settings.model))
        return ItemRequester(task, client, settings.seed, self.plan.examples, scoring), judge

    def _write_scores(self, failure: str | None, requester: Requester, judge: Judge | None) -> Result:
        """Compute the scores and write scores.json."""
        if self.sequence is not None:
            asked = self.plan.items[: self.sequence.counted]
            self.tally.total, self.tally.expected = len(asked), count_expected(asked)
        message = failure or self.tally.explain_no_score()
        status = "failed" if failure else "unscored" if message else "success"
        metric = self.tally.metric(self.plan.headline)
        scores = self.tally.result(status, metric, requester.requests)
        counts = {TIES: requester.ties, WITHOUT_ANSWER: requester.scoring.without_answer}
        scores["usage"] |= {name: count for name, count in counts.items() if count}
        if self.plan.task.samples is not None:
            scores["usage"][STORED_REPLIES] = self.log.count
        if self.sequence is not None:
            scores["usage"] |= self.sequence.count_asked(len(self.plan.items))
        if self.repeated is not None:
            scores["usage"] |= {REPEATS: self.plan.task.repeats, ALIKE: self.repeated.alike}
        if judge is not None:
            scores["usage"]["judge"] = judge.usage
        if self.embedder is not None:
            scores["usage"]["embedder"] = self.embedder.usage
        write_atomic(self.plan.settings.out / "scores.json", [dumps(scores), b"\n"])
        return Result(scores, message, aborted=failure is not None)
