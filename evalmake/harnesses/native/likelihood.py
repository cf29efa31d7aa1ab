"""Multiple choice by log-probabilities: the option that the model most probably continues with.

Each option is sent after the prompt with `echo` and `logprobs` (OpenAI's legacy completions API).
The log-probabilities of its tokens, located by `text_offset`, are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.harnesses.native.client import Client, ParsedReply
from evalmake.harnesses.native.errors import EndpointError, RequestError
from evalmake.harnesses.native.json_io import as_object
from evalmake.harnesses.native.prompts import Body, Example, Item, build_base_body, build_completion_prompt, join_texts
from evalmake.harnesses.native.scorers import Verdict

_NO_LOGPROBS = (
    "the reply has no log-probabilities of the prompt; multiple choice through the completions"
    " API needs an endpoint that supports `echo` and `logprobs`"
)


@dataclass(frozen=True, slots=True)
class OptionLogprobs:
    """The log-probability of each option of one item; latency (s) and tokens are sums."""

    logprobs: list[float]
    tokens_in: int
    latency: float


class Likelihood:
    """Gets the options' log-probabilities; remembers that an endpoint refused `max_tokens` 0."""

    def __init__(self, client: Client, seed: int | None) -> None:
        self.client = client
        self.seed = seed
        self.max_tokens = 0

    def body(self, item: Item, shown: Sequence[Example]) -> Body:
        """Build one body that lists all prompts; `measure` sends them one by one."""
        context = build_completion_prompt(item, shown)
        prompts = [join_texts(context, mark) for mark in item.marks]
        settings = {"prompt": prompts, "echo": True, "logprobs": 1, "max_tokens": self.max_tokens}
        return build_base_body(self.client.endpoint, self.seed) | settings

    async def measure(self, body: Body, start: int) -> OptionLogprobs:
        """Get the log-probability of the text from character `start` on in each prompt of a body."""
        answers = [await self._post(body, text) for text in body["prompt"]]
        return OptionLogprobs(
            logprobs=[
                self._sum_logprobs(answer, start, len(text))
                for answer, text in zip(answers, body["prompt"], strict=True)
            ],
            tokens_in=sum(answer.tokens("prompt_tokens") or 0 for answer in answers),
            latency=sum(answer.latency for answer in answers),
        )

    async def _post(self, body: Body, text: str) -> ParsedReply:
        """Post one prompt; an endpoint that refuses `max_tokens` 0 generates one token."""
        sent = body | {"prompt": text, "max_tokens": self.max_tokens}
        try:
            return await self.client.post(sent)
        except RequestError as error:
            if sent["max_tokens"] or error.status not in (400, 422):
                raise
        answer = await self.client.post(sent | {"max_tokens": 1})
        self.max_tokens = 1
        return answer

    def _sum_logprobs(self, answer: ParsedReply, start: int, end: int) -> float:
        """Add up the log-probabilities of characters `start` to `end`; a generated token lies after `end`."""
        found = as_object(answer.choice.get("logprobs"))
        offsets, logprobs = found.get("text_offset"), found.get("token_logprobs")
        if not isinstance(offsets, list) or not isinstance(logprobs, list) or min(offsets, default=end) >= end:
            raise EndpointError(_NO_LOGPROBS)
        own = [
            logprob
            for offset, logprob in zip(offsets, logprobs, strict=False)
            if start <= offset < end and logprob is not None
        ]
        if not own:
            raise RequestError("no token begins inside the option")
        return float(sum(own))


def find_option_start(item: Item, shown: Sequence[Example]) -> int:
    """The character at which an option begins: after the prompt without its trailing white space.

    Tokenizers join white space to the word after it, so the white space is the option's.
    """
    return len(build_completion_prompt(item, shown).rstrip())


def score_options(item: Item, logprobs: Sequence[float]) -> Verdict:
    """Score the likeliest option, and the likeliest for its length in UTF-8 bytes.

    Normalising by bytes does not depend on the tokenizer (Gao, "Multiple Choice Normalization in LM
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
