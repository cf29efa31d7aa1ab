"""The request that an item is asked with, by the data and the settings alone. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.json_io import dumps, loads
from evalmake.harnesses.native.likelihood import LEAST_TOKENS, describe_measurement
from evalmake.harnesses.native.prompts import Example, Item
from evalmake.harnesses.native.repeats import find_seed
from evalmake.harnesses.native.settings import Endpoint

_MODEL_REPLIES = "assistant"


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """How the records of a task are asked: the API, the model's name, the parameters as JSON has them, and the seed.

    `seed_step` is what each repetition of a record adds to the seed.
    """

    api: str
    model: str
    params: Mapping[str, Any]
    seed: int | None
    seed_step: int = 0


def build_request(
    asked: RequestSettings, item: Item, shown: Sequence[Example], request: Mapping[str, Any]
) -> Mapping[str, object]:
    """The request of an item; what a model said in an earlier turn of a conversation is taken as it is on record."""
    endpoint = Endpoint("", "", asked.model, asked.api, "", asked.params)
    base: dict[str, object] = {
        **prompts.build_base_body(endpoint, find_seed(asked.seed, asked.seed_step, item, asked.params))
    }
    if prompts.measures_likelihood(item.scorers, asked.api):
        context = prompts.build_completion_prompt(item, shown)
        texts = [prompts.join_texts(context, mark) for mark in item.marks]
        tokens = next((number for number in LEAST_TOKENS if request.get("max_tokens") == number), LEAST_TOKENS[0])
        return base | {"prompt": texts, **describe_measurement(tokens)}
    if item.tools:
        base["tools"] = list(item.tools)
    if asked.api == "completions":
        return base | {"prompt": prompts.build_completion_prompt(item, shown)}
    said = request.get("messages")
    said = said if isinstance(said, list) else []
    messages: list[object] = []
    for turn in prompts.build_turns(item, shown):
        if messages and len(said) <= len(messages):
            break  # the turn before was the last, as it failed or called tools
        if messages:
            answer = said[len(messages)]
            is_reply = isinstance(answer, dict) and answer.get("role") == _MODEL_REPLIES
            messages.append(answer if is_reply else {"role": _MODEL_REPLIES})
        messages += turn
    return base | {"messages": messages}


def to_plain(value: object) -> Any:
    """A value as its line of JSON gives it back."""
    return loads(dumps(value))
