"""The parameters that requests were sent with, as the record of an evaluation tells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from evalmake.gateway.proxy.sent_parameters import SentParameters
from tests.gateway.gateway_process import KEY, Gateway
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import Upstream


def told(*bodies: dict[Any, Any], redact: Callable[[str], str] = str) -> dict[str, dict[str, int]]:
    """What is told of requests with these bodies."""
    parameters = SentParameters()
    for body in bodies:
        parameters.record(body)
    return parameters.summarize(redact)


def digest(text: str) -> str:
    """The digest of a text that is not told."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def test_as_the_model_got_them(start_gateway: Callable[..., Gateway]) -> None:
    """What an adapter sets, drops and reseeds counts; a retry does not, and a cached reply counts like another one."""
    upstream = Upstream([]).use_scripts(
        [http_reply({}, 500)], [http_reply(chat_completion("7"))], [http_reply(chat_completion("8"))]
    )
    evaluation = start_gateway().open_evaluation(upstream, params={"top_p": 0.5}, drop=("user",), reseed=True)
    evaluation.post(temperature=1, seed=3, user="me")
    evaluation.post(temperature=1, seed=3, user="you")
    evaluation.request("GET", "/v1/models")
    sums = evaluation.close()
    assert (sums["retries"], sums.get("failed"), sums["requests"]) == (1, None, 3)
    parameters = sums["parameters"]
    assert parameters["top_p"] == {"0.5": 2}
    assert parameters["temperature"] == {"1": 2}
    assert "user" not in parameters
    assert "messages" not in parameters
    assert parameters["seed"] == {"3": 1, str(3 + 1_000_003): 1}


def test_cached_replies_count(gateway: Gateway) -> None:
    """The second of two equal requests is not sent, and the result rests on it all the same."""
    replies = Upstream([]).use_scripts([http_reply(chat_completion("7"))])
    for _ in range(2):
        evaluation = gateway.open_evaluation(replies)
        evaluation.post(temperature=0)
        sums = evaluation.close()
        assert sums["parameters"]["temperature"] == {"0": 1}
    assert sums["cached"] == 1


def test_values() -> None:
    """Values are told as JSON by their types, and a count is kept of each."""
    found = told(*({"x": value} for value in (1, True, 1.0, None, 1, [1, 2], "text", [1, 2])))
    assert found == {"x": {"1": 2, "true": 1, "1.0": 1, "null": 1, "[1,2]": 2, digest("text"): 1}}
    assert told({"stop": ["\n"], "model": "m"}) == {"model": {'"m"': 1}, "stop": {'["\\n"]': 1}}


@pytest.mark.parametrize("name", ["messages", "prompt", "input", "instructions", "suffix", "documents", "query"])
def test_prompts_are_left_out(name: str) -> None:
    """Nothing is told of what a request asks, not even a digest."""
    assert told({name: "canary", "n": 1}) == {"n": {"1": 1}}


def test_texts_have_digests() -> None:
    """Texts of unknown parameters, tools and what is long are told by their digests."""
    tools = [{"function": {"description": "canary"}}]
    schema = {"type": "json_schema", "json_schema": {"description": "canary" * 20}}
    found = told({"mystery": "canary", "tools": tools, "response_format": schema, "model": "canary" * 20, "a": ["b"]})
    assert "canary" not in json.dumps(found)
    assert found["mystery"] == {digest("canary"): 1}
    assert found["tools"] == {digest('[{"function":{"description":"canary"}}]'): 1}
    assert found["a"] == {digest('["b"]'): 1}


def test_no_secret(start_gateway: Callable[..., Gateway]) -> None:
    """The key of the model is in no name and no value."""
    upstream = Upstream([]).use_scripts([http_reply(chat_completion("7"))])
    evaluation = start_gateway().open_evaluation(upstream)
    evaluation.post(**{KEY: 1, f"{'x' * 90}{KEY}": 1, "stop": [KEY], "service_tier": f"{'x' * 70}{KEY}"})
    found = json.dumps(evaluation.close()["parameters"])
    assert KEY[:9] not in found
    assert '[\\"***\\"]' in found


def test_bounds() -> None:
    """A harness with a new name or a new value in each request does not fill the memory."""
    names = told(*({f"n{number}": number} for number in range(300)))
    assert len(names) == 101
    assert names["others"] == {**{str(number): 1 for number in range(100, 200)}, "others": 100}
    values = told(*({"seed": number} for number in range(300)))
    assert len(values["seed"]) == 101
    assert values["seed"]["others"] == 200
    lists = told(*({"stop": [str(number) * 50]} for number in range(300)))
    assert len(lists["stop"]) == 101
    assert told({"seed": 10**400}) == {"seed": {digest(str(10**400)): 1}}


def test_what_is_no_json() -> None:
    """A value that an interceptor made and nobody can write is counted without its text."""

    class Kind(dict[str, int]):
        pass

    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    found = told({"a": object(), "b": deep, "c": Kind(x=1), 7: (1, 2), "\ud800": "\ud800"})
    assert found["a"] == found["b"] == {"others": 1}
    assert found["c"] == {digest('{"x":1}'): 1}
    assert found["7"] == {"[1,2]": 1}
