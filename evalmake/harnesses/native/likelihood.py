"""Multiple choice by likelihood: which option the model would most probably have written.

Each option is sent behind the prompt with `echo` and `logprobs` (OpenAI's legacy completions API);
the log-probabilities of its own tokens, told by `text_offset`, are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.harnesses.native.client import Answer, Client
from evalmake.harnesses.native.errors import EndpointError, RequestError
from evalmake.harnesses.native.json_io import as_object
from evalmake.harnesses.native.prompts import Body, Example, Item, base_body, completion_prompt, continued
from evalmake.harnesses.native.scorers import Verdict

_FACTS_MISSING = (
    "the reply has no log-probabilities of the prompt; multiple choice through the completions"
    " API needs an endpoint that does echo and logprobs"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """All options of one item, in order; latency (s) and tokens are sums."""

    logprobs: list[float]
    tokens_in: int
    latency: float


class Likelihood:
    """Measures options; remembers once an endpoint has refused `max_tokens` 0."""

    def __init__(self, client: Client, seed: int | None) -> None:
        self.client = client
        self.seed = seed
        self.max_tokens = 0

    def body(self, item: Item, shown: Sequence[Example]) -> Body:
        """One body that lists the prompts which are then sent one by one."""
        context = completion_prompt(item, shown)
        prompts = [continued(context, mark) for mark in item.marks]
        settings = {"prompt": prompts, "echo": True, "logprobs": 1, "max_tokens": self.max_tokens}
        return base_body(self.client.endpoint, self.seed) | settings

    async def measure(self, body: Body, start: int) -> Measured:
        """Measure the text from character `start` on in each prompt of a body."""
        answers = [await self._post(body, text) for text in body["prompt"]]
        return Measured(
            logprobs=[
                self._sum(answer, start, len(text)) for answer, text in zip(answers, body["prompt"], strict=True)
            ],
            tokens_in=sum(answer.tokens("prompt_tokens") or 0 for answer in answers),
            latency=sum(answer.latency for answer in answers),
        )

    async def _post(self, body: Body, text: str) -> Answer:
        """Post one prompt; an endpoint that refuses to generate nothing generates one token."""
        sent = body | {"prompt": text, "max_tokens": self.max_tokens}
        try:
            return await self.client.post(sent)
        except RequestError as error:
            if sent["max_tokens"] or error.status not in (400, 422):
                raise
        answer = await self.client.post(sent | {"max_tokens": 1})
        self.max_tokens = 1
        return answer

    def _sum(self, answer: Answer, start: int, end: int) -> float:
        """The log-probability of characters `start` to `end`; a generated token lies beyond."""
        found = as_object(answer.choice.get("logprobs"))
        offsets, logprobs = found.get("text_offset"), found.get("token_logprobs")
        if not isinstance(offsets, list) or not isinstance(logprobs, list) or min(offsets, default=end) >= end:
            raise EndpointError(_FACTS_MISSING)
        own = [
            logprob
            for offset, logprob in zip(offsets, logprobs, strict=False)
            if start <= offset < end and logprob is not None
        ]
        if not own:
            raise RequestError("no token begins inside the option")
        return float(sum(own))


def start_of_option(item: Item, shown: Sequence[Example]) -> int:
    """Where an option begins: after the prompt without the white space at its end.

    Tokens take white space to the word behind it, so it counts as the option's.
    """
    return len(completion_prompt(item, shown).rstrip())


def judge_options(item: Item, logprobs: Sequence[float]) -> Verdict:
    """Accuracy of the likeliest option, and of the likeliest for its length in UTF-8 bytes.

    Normalising by bytes is independent of the tokenizer (Gao, "Multiple Choice Normalization in LM
    Evaluation", EleutherAI 2021).
    """
    per_byte = [logprob / max(len(mark.encode()), 1) for logprob, mark in zip(logprobs, item.marks, strict=True)]
    best = max(range(len(logprobs)), key=logprobs.__getitem__)
    best_per_byte = max(range(len(per_byte)), key=per_byte.__getitem__)
    scores = {
        "accuracy": float(best == item.right),
        "accuracy_norm": float(best_per_byte == item.right),
    }
    return Verdict(scores, item.marks[best])
