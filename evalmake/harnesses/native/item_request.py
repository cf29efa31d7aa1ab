"""One item's way: ask the model, score what it said, make the sample of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.client import Client
from evalmake.harnesses.native.errors import RequestError
from evalmake.harnesses.native.json_io import dumps
from evalmake.harnesses.native.likelihood import Likelihood, judge_options, start_of_option
from evalmake.harnesses.native.prompts import Body, Example, Item
from evalmake.harnesses.native.sample_log import Sample
from evalmake.harnesses.native.scorers import Scorer, Verdict, extracted
from evalmake.harnesses.native.task_file import Task


class Asker:
    """Asks items one at a time; `ask` may run many times at once.

    `scorer` is None where the likelihood of options is measured.
    """

    def __init__(
        self,
        task: Task,
        client: Client,
        seed: int | None,
        examples: Sequence[Example],
        scorer: Scorer | None,
    ) -> None:
        self.task = task
        self.client = client
        self.seed = seed
        self.examples = examples
        self.scorer = scorer
        self.likelihood = Likelihood(client, seed)

    async def ask(self, item: Item) -> Sample:
        """The item's sample. EndpointError if no further item need be asked."""
        shown = prompts.shots(self.task, self.examples, item)
        if self.scorer is None:
            return await self._measured(item, shown)
        return await self._replied(item, shown, self.scorer)

    async def _replied(self, item: Item, shown: Sequence[Example], scorer: Scorer) -> Sample:
        """Ask for a reply, and score its text."""
        endpoint = self.client.endpoint
        make = prompts.completion_body if endpoint.api == "completions" else prompts.chat_body
        body = make(endpoint, self.seed, item, shown)
        try:
            reply = await self.client.ask(body)
        except RequestError as error:
            return _failed(item, body, error)
        try:
            verdict = await scorer(item, extracted(self.task.extract, reply.text))
        except RequestError as error:
            verdict = Verdict(error=f"judge: {error}")
        facts = {
            "reply": reply.text,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "latency": reply.latency,
            "finish_reason": reply.finish_reason,
        }
        return _sample(item, body, verdict, facts)

    async def _measured(self, item: Item, shown: Sequence[Example]) -> Sample:
        """Measure the options; the reply on record is the list of their log-probabilities."""
        body = self.likelihood.body(item, shown)
        try:
            measured = await self.likelihood.measure(body, start_of_option(item, shown))
        except RequestError as error:
            return _failed(item, body, error)
        facts = {
            "reply": dumps(measured.logprobs).decode(),
            "tokens_in": measured.tokens_in,
            "latency": measured.latency,
        }
        return _sample(item, body, judge_options(item, measured.logprobs), facts)


def _failed(item: Item, body: Body, error: RequestError) -> Sample:
    return _sample(item, body, Verdict(error=str(error)), {})


def _sample(item: Item, body: Body, verdict: Verdict, facts: dict[str, Any]) -> Sample:
    """The sample of an item; facts that are missing are not known."""
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
    )
