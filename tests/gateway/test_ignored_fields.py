"""Replies without what the request asks for: they stop the evaluation."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.gateway.completion_server import TEXT
from tests.gateway.gateway_process import CHAT, Gateway, assert_stopped
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import ConnectionEnd, Step, Upstream


def told(content: str | None, logprobs: object = None, index: int = 0) -> dict[str, Any]:
    """A chat choice."""
    [choice] = chat_completion(content)["choices"]
    return {**choice, "index": index, "logprobs": logprobs}


def text(content: str, logprobs: object = None, index: int = 0) -> dict[str, Any]:
    """A completion's choice."""
    return {"index": index, "text": content, "logprobs": logprobs, "finish_reason": "stop"}


TOLD = {"content": [{"token": "7", "logprob": -0.1}]}
LISTS = {"tokens": ["7"], "token_logprobs": [-0.1]}
NO_LOGPROBS = "ignores `logprobs`: a reply to a request for them has none"
CHECKED: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]], str]] = {
    "two of two": (CHAT, {"n": 2}, [told("a"), told("b", index=1)], ""),
    "more than two": (CHAT, {"n": 2}, [told("a"), told("b", index=1), told("c", index=2)], ""),
    "one of two": (
        CHAT,
        {"n": 2},
        [told("a")],
        "ignores `n`: 2 choices were asked for, and 1 came",
    ),
    "one asked for": (CHAT, {"n": 1}, [told("a")], ""),
    "no number": (CHAT, {"n": None}, [told("a")], ""),
    "an odd number": (CHAT, {"n": "2"}, [told("a")], ""),
    "one of two texts": (
        TEXT,
        {"prompt": "x", "n": 2},
        [text("a")],
        "ignores `n`: 2 choices were asked for, and 1 came",
    ),
    "each of two prompts": (TEXT, {"prompt": ["x", "y"]}, [text("a"), text("b", index=1)], ""),
    "one of two prompts": (
        TEXT,
        {"prompt": ["x", "y"]},
        [text("a")],
        "ignores that `prompt` is a list: 2 choices were asked for, and 1 came",
    ),
    "two of two prompts, twice each": (
        TEXT,
        {"prompt": [[1], [2]], "n": 2},
        [text("a"), text("b", index=1)],
        "ignores `n`: 4 choices were asked for, and 2 came",
    ),
    "one prompt of ids": (TEXT, {"prompt": [1, 2, 3]}, [text("a")], ""),
    "no prompts": (TEXT, {"prompt": []}, [text("a")], ""),
    "log-probabilities": (CHAT, {"logprobs": True}, [told("7", TOLD)], ""),
    "no log-probabilities": (CHAT, {"logprobs": True}, [told("7")], NO_LOGPROBS),
    "empty ones": (CHAT, {"logprobs": True}, [told("7", {"content": []})], NO_LOGPROBS),
    "not asked for": (CHAT, {"logprobs": False}, [told("7")], ""),
    "nothing said": (CHAT, {"logprobs": True}, [told(None)], ""),
    "of one of two": (CHAT, {"logprobs": True}, [told("7", TOLD), told("8")], ""),
    "of a text": (TEXT, {"prompt": "x", "logprobs": 1}, [text("7", LISTS)], ""),
    "none of a text": (TEXT, {"prompt": "x", "logprobs": 1}, [text("7")], NO_LOGPROBS),
    "of an empty text": (TEXT, {"prompt": "x", "logprobs": 1}, [text("")], ""),
    "another API": ("/v1/embeddings", {"input": "x", "n": 2, "logprobs": True}, [], ""),
}


def parts(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """A choice as a stream sends it."""
    head = {"index": choice["index"], "logprobs": choice["logprobs"]}
    last = {"index": choice["index"], "logprobs": None, "finish_reason": "stop"}
    if "text" in choice:
        return [{**head, "text": choice["text"]}, {**last, "text": ""}]
    return [{**head, "delta": {"content": choice["message"]["content"]}}, {**last, "delta": {}}]


def streamed(choices: list[dict[str, Any]]) -> list[Step]:
    """Choices as a stream."""
    events = [{"choices": [part]} for choice in choices for part in parts(choice)]
    return [*chunked_reply(*(b"data: %b\n\n" % json.dumps(one).encode() for one in events), DONE)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", CHECKED)
def test_what_is_ignored(gateway: Gateway, name: str, stream: bool) -> None:
    """A reply without what the request asks for stops the evaluation, and is neither forwarded nor cached."""
    rest, body, choices, why = CHECKED[name]
    upstream = Upstream(streamed(choices) if stream else [http_reply({"choices": choices})])
    asked = {**body, "stream": stream, "temperature": 0}
    evaluation = gateway.open_evaluation(upstream)
    answer = evaluation.post(rest, **asked)
    if why and not stream:
        assert_stopped(answer, f"{rest.removeprefix('/v1')} {why}")
    else:
        assert answer.status == 200
    sums = evaluation.close()
    assert sums["fatal"] == (why and f"the endpoint {upstream.url}{rest.removeprefix('/v1')} {why}")
    assert (sums["requests"], sums["statuses"]) == (1, {"200": 1})
    if why:
        assert not gateway.open_evaluation(upstream).post(rest, **asked).cached


def test_those_who_wait_for_a_reply_that_lacks_something(gateway: Gateway) -> None:
    """Identical requests that wait for the first one stop with it, unsent."""
    upstream = Upstream([0.2, http_reply({"choices": [told("7")]})])
    evaluation = gateway.open_evaluation(upstream)
    answers = evaluation.post_repeatedly(4, 4, logprobs=True, temperature=0)
    for answer in answers:
        assert_stopped(answer, NO_LOGPROBS)
    assert len(upstream.received) == 1


def test_a_stream_that_broke_is_not_judged(gateway: Gateway) -> None:
    """A broken stream does not prove that the endpoint ignores anything."""
    upstream = Upstream([*chunked_reply(chat_event("7"), end=False), ConnectionEnd.CLOSE])
    evaluation = gateway.open_evaluation(upstream)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        evaluation.post(stream=True, logprobs=True, n=2)
    assert evaluation.close()["fatal"] == ""
