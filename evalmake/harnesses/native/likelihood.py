"""Multiple choice by log-probabilities: the option that the model most probably continues with.

Each option is sent after the prompt with `echo` and `logprobs` (OpenAI's legacy completions API).
The log-probabilities of its tokens, located by the tokens' own texts, are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from evalmake.harnesses.native.client import Client, ParsedReply
from evalmake.harnesses.native.errors import EndpointError, RequestError, UnusableReply
from evalmake.harnesses.native.json_io import as_object
from evalmake.harnesses.native.prompts import Body, Example, Item, build_base_body, build_completion_prompt, join_texts
from evalmake.harnesses.native.scorers import Verdict
from evalmake.harnesses.native.token_alignment import Starts, locate_tokens

_HIGHEST_LOGPROB = 1e-3  # above 0 by rounding only
_FEW_TOKENS = 6  # so many may be alike by chance

LEAST_TOKENS = (0, 1)
"""How many tokens are asked for, since none are wanted: some endpoints refuse 0."""

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


def describe_measurement(max_tokens: int) -> dict[str, object]:
    """The parameters of a request that measures its prompt."""
    return {"echo": True, "logprobs": 1, "max_tokens": max_tokens}


class Likelihood:
    """Gets the options' log-probabilities; remembers that an endpoint refused `max_tokens` 0.

    An endpoint that never gave log-probabilities cannot: the run ends. After that a reply without them is one that
    went wrong: its sample has an error.
    """

    def __init__(self, client: Client, seed: int | None) -> None:
        self.client = client
        self.seed = seed
        self.max_tokens = LEAST_TOKENS[0]
        self.gives_logprobs = False
        self.ties = 0
        """How many items have several likeliest options."""
        self._tokens = 0
        self._values: set[float] = set()

    def body(self, item: Item, shown: Sequence[Example]) -> Body:
        """Build one body that lists all prompts; `measure` sends them one by one."""
        context = build_completion_prompt(item, shown)
        prompts = [join_texts(context, mark) for mark in item.marks]
        settings = describe_measurement(self.max_tokens)
        return build_base_body(self.client.endpoint, self.seed) | {"prompt": prompts, **settings}

    async def measure(self, body: Body, start: int) -> OptionLogprobs:
        """Get the log-probability of the text from character `start` on in each prompt of a body."""
        answers = [await self._post(body, text) for text in body["prompt"]]
        return OptionLogprobs(
            logprobs=[self._sum(answer, text, start) for answer, text in zip(answers, body["prompt"], strict=True)],
            tokens_in=sum(answer.tokens("prompt_tokens") or 0 for answer in answers),
            latency=sum(answer.latency for answer in answers),
        )

    def _sum(self, answer: ParsedReply, text: str, start: int) -> float:
        try:
            logprobs = read_option_logprobs(answer.choice, text, start)
        except EndpointError as error:
            if self.gives_logprobs:
                raise RequestError(str(error)) from None
            raise
        self.gives_logprobs = True
        self._tokens += len(logprobs)
        if len(self._values) < 2:
            self._values |= set(logprobs)
        return sum(logprobs)

    def describe_constant(self) -> str | None:
        """Why no option could be told from another: all their tokens have one log-probability."""
        if self._tokens < _FEW_TOKENS or len(self._values) != 1:
            return None
        [value] = self._values
        return f"the endpoint returns the log-probability {value:.4g} for every token, which says nothing"

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


def read_option_logprobs(choice: dict[str, Any], text: str, start: int) -> list[float]:
    """The log-probabilities of the tokens of `text` from character `start` on.

    A token that begins before `start` and ends after it counts: it holds a part of the option. EndpointError if the
    reply has no log-probabilities of the prompt, RequestError if they cannot be those of this prompt.
    """
    found = as_object(choice.get("logprobs"))
    tokens, logprobs = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(logprobs, list) or not logprobs:
        raise EndpointError(_NO_LOGPROBS)
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise EndpointError(f"{_NO_LOGPROBS}; this one does not name the tokens")
    if len(tokens) != len(logprobs):
        raise UnusableReply(f"it has {len(tokens)} tokens and {len(logprobs)} log-probabilities")
    located = locate_tokens(tokens, text)
    if located is None and _is_without_echo(tokens, text):
        raise EndpointError(_NO_LOGPROBS)
    if located is None:
        raise UnusableReply(f"its tokens do not spell the prompt: they begin {tokens[:6]}")
    before, places = located
    own = _find_option_tokens(places, len(text[:start].encode("utf-8", "surrogatepass")))
    return [_read_logprob(logprobs[before + number], tokens[before + number]) for number in own]


def _find_option_tokens(places: Starts, start: int) -> Sequence[int]:
    """The numbers of the tokens that hold a part of what follows byte `start`."""
    numbers = []
    for number, ((first, last), (end, last_end)) in enumerate(pairwise(places)):
        if (first >= start or end > start) != (last >= start or last_end > start):
            raise UnusableReply(
                "it cannot be told which tokens are the option's: the server tells torn characters only"
            )
        if first >= start or end > start:
            numbers.append(number)
    return numbers


def _is_without_echo(tokens: Sequence[str], text: str) -> bool:
    """Whether these are the tokens of a reply alone: far too few to be the prompt."""
    return len(tokens) <= 1 < len(text.split())


def _read_logprob(value: object, token: str) -> float:
    """The log-probability of one token; RequestError if it is missing or none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableReply(f"it has no log-probability of the option's token {token!r}: {value!r}")
    if not isfinite(value) or value > _HIGHEST_LOGPROB:
        raise UnusableReply(f"the log-probability of the option's token {token!r} is {value}, which none can be")
    return float(value)


def find_option_start(item: Item, shown: Sequence[Example]) -> int:
    """The character at which an option begins: after the prompt without its trailing white space.

    Tokenizers join white space to the word after it, so the white space is the option's.
    """
    return len(build_completion_prompt(item, shown).rstrip())


def has_tie(logprobs: Sequence[float]) -> bool:
    """Whether several options are the likeliest: the first one is scored, by its place alone."""
    return logprobs.count(max(logprobs)) > 1


def score_options(item: Item, logprobs: Sequence[float]) -> Verdict:
    """Score the likeliest option, and the likeliest for its length in UTF-8 bytes.

    Normalising by bytes does not depend on the tokenizer (Gao, "Multiple Choice Normalization in LM
    Evaluation", EleutherAI 2021).
    """
    per_byte = [logprob / max(len(mark.encode()), 1) for logprob, mark in zip(logprobs, item.marks, strict=True)]
    best = max(range(len(logprobs)), key=logprobs.__getitem__)
    best_per_byte = max(range(len(per_byte)), key=per_byte.__getitem__)
    scores = {
        "accuracy": float(best in item.right),
        "accuracy_norm": float(best_per_byte in item.right),
    }
    return Verdict(scores, item.marks[best])
