"""One item: send its request, score the reply, build the sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.client import Client
from evalmake.harnesses.native.errors import RequestError
from evalmake.harnesses.native.exchange import Exchange
from evalmake.harnesses.native.json_io import dumps
from evalmake.harnesses.native.likelihood import Likelihood, find_option_start, has_tie, score_options
from evalmake.harnesses.native.prompts import Body, Example, Item
from evalmake.harnesses.native.record_checks import list_checks
from evalmake.harnesses.native.repeats import find_seed
from evalmake.harnesses.native.reply_scoring import ReplyScoring
from evalmake.harnesses.native.sample_log import Sample
from evalmake.harnesses.native.scorers import Verdict
from evalmake.harnesses.native.task_file import Task

_NOTHING: Mapping[str, Any] = {}


class ItemRequester:
    """Requests one item for each call of `request`, which may run concurrently."""

    def __init__(
        self,
        task: Task,
        client: Client,
        seed: int | None,
        examples: Sequence[Example],
        scoring: ReplyScoring,
    ) -> None:
        self.task = task
        self.client = client
        self.seed = seed
        self.examples = examples
        self.scoring = scoring
        self.likelihood = Likelihood(client, seed)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self.client.requests

    @property
    def ties(self) -> int:
        """How many items have several options that are the likeliest."""
        return self.likelihood.ties

    def describe_constant(self) -> str | None:
        """The message if all log-probabilities are the same."""
        return self.likelihood.describe_constant()

    async def request(self, item: Item) -> Sample:
        """Return the item's sample; EndpointError if no further request can succeed."""
        shown = prompts.select_examples(self.task, self.examples, item)
        if prompts.measures_likelihood(item.scorers, self.client.endpoint.api):
            return await self._score_likelihood(item, shown)
        return await self._score_reply(item, shown)

    async def _score_reply(self, item: Item, shown: Sequence[Example]) -> Sample:
        """Request a reply and score its text."""
        seed = find_seed(self.seed, self.task.seed_step, item, self.client.endpoint.params)
        exchange = Exchange(self.client, seed, item, shown, self.task.folder)
        try:
            reply = await exchange.ask()
        except RequestError as error:
            return _build_failed_sample(item, exchange.body, error, exchange.facts() | {"reply": None})
        verdict = await self.scoring.score(exchange.asked_item(), reply)
        timed = any(check.kind == "latency" for check in list_checks(item.checks))
        facts = exchange.facts() | ({"cached": True} if timed and reply.cached else {})
        return build_sample(item, exchange.body, verdict, facts)

    async def _score_likelihood(self, item: Item, shown: Sequence[Example]) -> Sample:
        """Compare the options; the recorded reply is the list of their log-probabilities."""
        body = self.likelihood.body(item, shown)
        try:
            measured = await self.likelihood.measure(body, find_option_start(item, shown))
        except RequestError as error:
            return _build_failed_sample(item, body, error)
        self.likelihood.ties += has_tie(measured.logprobs)
        facts = {
            "reply": dumps(measured.logprobs).decode(),
            "tokens_in": measured.tokens_in,
            "latency": measured.latency,
        }
        return build_sample(item, body, score_options(item, measured.logprobs), facts)


def _build_failed_sample(item: Item, body: Body, error: RequestError, facts: Mapping[str, Any] = _NOTHING) -> Sample:
    return build_sample(item, body, Verdict(error=str(error), cause_kind=error.kind), facts)


def build_sample(item: Item, body: Body, verdict: Verdict, facts: Mapping[str, Any]) -> Sample:
    """Build the sample of an item; a missing fact is unknown."""
    return Sample(
        id=item.id,
        item=item.record.item,
        index=item.record.index,
        input=item.record.data,
        request=body,
        reply=facts.get("reply"),
        answer=verdict.answer,
        target=item.target,
        scores=dict(verdict.scores),
        error=verdict.error,
        tokens_in=facts.get("tokens_in"),
        tokens_out=facts.get("tokens_out"),
        latency=facts.get("latency"),
        finish_reason=facts.get("finish_reason"),
        cluster=item.cluster,
        judge=verdict.judge,
        cause_kind=verdict.cause_kind,
        refused=facts.get("refused"),
        tool_calls=facts.get("tool_calls"),
        turns=facts.get("turns"),
        question_key=item.question_key or (None if body else item.digests.question),
        message=verdict.message,
        similarities=verdict.similarities,
        checks=verdict.checks,
        repetition=item.repetition,
        cached=facts.get("cached"),
        weight=None if item.weight == 1 else item.weight,
        tags=item.tags or None,
    )
