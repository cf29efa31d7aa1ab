"""Interceptors: requests and replies as files in `golden/` show them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_process import CHAT, Evaluation, Gateway
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import Upstream

GOLDEN = Path(__file__).parent / "golden"
TEXT = "/v1/completions"

CONVERSATION = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 3 + 4?"},
    ],
    "temperature": 0.5,
    "stop": ["\n"],
}
ASKED = {"messages": [{"role": "user", "content": "3 + 4?"}]}
PARTS = {
    "role": "system",
    "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
}
NESTED = {
    **ASKED,
    "seed": 3,
    "max_tokens": 5,
    "chat_template_kwargs": {"thinking": True, "seed": 1},
    "tools": [{"function": {"name": "f", "seed": 2}}, {"max_tokens": 9}],
}

REQUESTS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "nothing": ({}, CHAT, CONVERSATION),
    "system-replace": ({"system": "Think."}, CHAT, CONVERSATION),
    "system-replace-none": ({"system": "Think."}, CHAT, ASKED),
    "system-prepend": ({"system": "Think.", "system_mode": "prepend"}, CHAT, CONVERSATION),
    "system-append": ({"system": "Think.", "system_mode": "append"}, CHAT, CONVERSATION),
    "system-parts": (
        {"system": "Think.", "system_mode": "append"},
        CHAT,
        {"messages": [PARTS, {"role": "user", "content": "?"}]},
    ),
    "system-completion": ({"system": "Think."}, TEXT, {"prompt": "3 + 4 ="}),
    "system-completions": ({"system": "Think."}, TEXT, {"prompt": ["3 + 4 =", "1 + 1 ="]}),
    "system-tokens": ({"system": "Think."}, TEXT, {"prompt": [1, 2, 3]}),
    "system-responses": (
        {"system": "Think.", "system_mode": "append"},
        "/v1/responses",
        {"input": "3 + 4?", "instructions": "Be brief."},
    ),
    "system-tokenize": ({"system": "Think."}, "/tokenize", {"prompt": "3 + 4 ="}),
    "params-add": (
        {"params": {"temperature": 0, "top_k": 5, "chat_template_kwargs": {"thinking": False}}},
        CHAT,
        {**NESTED, "temperature": 1},
    ),
    "params-drop": ({"drop": ["seed", "stop", "max_tokens"]}, CHAT, NESTED),
    "params-rename": ({"rename": {"max_tokens": "max_completion_tokens"}}, CHAT, NESTED),
    "params-all": (
        {"drop": ["seed"], "rename": {"max_tokens": "limit"}, "params": {"seed": 7, "limit": 1}},
        CHAT,
        NESTED,
    ),
    "params-content-stays": (
        {"drop": ["role", "content"], "rename": {"text": "words"}},
        CHAT,
        {**ASKED, "metadata": {"role": "x", "text": "y"}},
    ),
    "headers": (
        {"headers": {"X-Added": "1", "X-Both": "ours"}, "drop_headers": ["x-gone"]},
        CHAT,
        ASKED,
    ),
    "system-and-params": (
        {"system": "Think.", "params": {"temperature": 0}, "drop": ["stop"]},
        CHAT,
        CONVERSATION,
    ),
    "stream": (
        {"system": "Think.", "params": {"stream_options": {"include_usage": True}}, "drop": ["n"]},
        CHAT,
        {**ASKED, "n": 1, "stream": True, "stream_options": {"chunk": 2}},
    ),
}


def check(name: str, sections: dict[str, object]) -> None:
    """Compare with the file of that name (UPDATE_GOLDEN=1 rewrites it)."""
    shown = {key: value if isinstance(value, str) else _json(value) for key, value in sections.items()}
    text = "\n".join(f"== {key}\n{value.rstrip()}\n" for key, value in shown.items() if value)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) if value else ""


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(gateway: Gateway, name: str) -> None:
    """Each adapter rewrites a request exactly as its file shows."""
    adapter, rest, body = REQUESTS[name]
    choices = chat_completion("7")["choices"] * 2
    upstream = Upstream([http_reply({"choices": choices})])
    mine = [("X-Gone", "1"), ("X-Both", "theirs"), ("X-Stays", "1")]
    evaluation = gateway.open_evaluation(upstream, cache=False, **adapter)
    assert evaluation.request("POST", rest, json.dumps(body).encode(), mine).status == 200
    [seen] = upstream.received
    headers = [f"{key.decode()}: {value.decode()}" for key, value in seen.headers if key[:2] == b"X-"]
    check(
        f"request-{name}",
        {
            "adapter": adapter,
            "the harness asks": body,
            "the model gets": json.loads(seen.body),
            "headers": "\n".join(headers),
        },
    )


# Replies

CUSTOM = ["[reason]", "[/reason]"]
REPLIES: dict[str, tuple[object, dict[str, Any]]] = {
    "tags": (True, chat_completion("<think>\nLet me see. 3 + 4\n</think>\n\nIt is 7.")),
    "custom-tags": (CUSTOM, chat_completion("[reason]<think>[/reason] 7")),
    "closing-only": (True, chat_completion("Let me see.</think>7")),
    "unfinished": (True, chat_completion("So:\n<think>Let me", "length")),
    "no-reasoning": (True, chat_completion("It is 7.")),
    "twice": (True, chat_completion("<think>a</think>b<think>c</think>d")),
    "field": (True, chat_completion("7", reasoning_content="Let me see.")),
    "field-twice-named": (True, chat_completion("7", reasoning_content="Let me", reasoning="Let me")),
    "field-and-tags": (True, chat_completion("<think>More.</think>7", reasoning="Let me see.")),
    "field-only": (True, chat_completion(None, "length", reasoning_content="Let me")),
    "tool-calls": (
        True,
        chat_completion(None, "tool_calls", reasoning="Call.", tool_calls=[{"id": "1", "function": {}}]),
    ),
    "several-choices": (
        True,
        {
            "choices": [
                {"index": 0, "message": {"content": "<think>a</think>1"}, "finish_reason": "stop"},
                {"index": 1, "message": {"content": "2"}, "finish_reason": "stop"},
                {"index": 2, "message": {"content": "<think>c"}, "finish_reason": "length"},
            ]
        },
    ),
    "completion": (True, {"choices": [{"index": 0, "text": "b</think>2", "finish_reason": "stop"}]}),
    "error": (True, {"error": {"message": "<think>no</think>"}}),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies(gateway: Gateway, name: str) -> None:
    """Reasoning is removed from a whole reply as its file shows; a replay gives the same."""
    strip, answer = REPLIES[name]
    upstream = Upstream([http_reply(answer)])
    evaluation = gateway.open_evaluation(upstream, strip_reasoning=strip, retry=0)
    got = evaluation.post(temperature=0)
    check(
        f"reply-{name}",
        {
            "strip_reasoning": strip,
            "the model says": answer,
            "the harness gets": got.json,
            "record": _reasoning(evaluation),
        },
    )
    assert evaluation.restart().post(temperature=0).json == got.json


def _reasoning(evaluation: Evaluation) -> str:
    """The rows and the counts in the record."""
    sums = evaluation.close()
    counts = {name: amount for name, amount in sums.items() if name.startswith("reason")}
    lines = [json.dumps(one) for one in [*evaluation.read_rows("reasoning"), counts] if one]
    return "\n".join(lines)


def delta(index: int = 0, finish: str | None = None, **parts: object) -> bytes:
    """An event with any fields in its delta."""
    choice = {"index": index, "delta": parts, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "choices": [choice]}).encode() + b"\n\n"


def words(*texts: str, index: int = 0) -> list[bytes]:
    """Events with one text each."""
    return [chat_event(text, index=index) for text in texts]


def text_event(text: str, finish: str | None = None) -> bytes:
    """An event of a text completion."""
    choice = {"index": 0, "text": text, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


USAGE = b'data: {"id": "x", "choices": [], "usage": {"completion_tokens": 9}}\n\n'
STREAMS: dict[str, tuple[object, list[bytes]]] = {
    "split-tags": (
        True,
        [
            *words("", "<th", "ink>Let", " me</", "thi", "nk>", "\n", "\n It", " is 7."),
            chat_event(finish="stop"),
            USAGE,
            DONE,
        ],
    ),
    "custom-tags": (
        CUSTOM,
        [*words("[rea", "son]a[", "/reason", "]b", "c"), chat_event(finish="stop"), DONE],
    ),
    "closing-only": (True, [*words("Let me", "</think>7"), chat_event(finish="stop"), DONE]),
    "unfinished": (True, [*words("So: ", "<think>Let", " me"), chat_event(finish="length"), DONE]),
    "no-reasoning": (True, [*words("It", " is"), chat_event(" 7.", "stop"), DONE]),
    "field": (
        True,
        [
            delta(role="assistant", reasoning_content="Let"),
            delta(reasoning_content=" me"),
            delta(content="7"),
            delta(finish="stop"),
            DONE,
        ],
    ),
    "field-twice-named": (
        True,
        [delta(reasoning_content="Let", reasoning="Let"), delta(finish="length"), DONE],
    ),
    "several-choices": (
        True,
        [
            chat_event("<think>a", index=0),
            chat_event("<think>b", index=1),
            chat_event("</think>1", index=1),
            chat_event("</think>0", "stop", 0),
            chat_event("!", "stop", 1),
            chat_event("2", index=2),
            DONE,
        ],
    ),
    "no-finish": (True, [*words("It is", " 7."), DONE]),
    "no-done": (True, [*words("It is", " 7."), chat_event(finish="stop")]),
    "completion": (True, [text_event("a</thi"), text_event("nk> 7"), text_event("", "stop"), DONE]),
    "other-events": (
        True,
        [b": a comment\n\n", b"data: no JSON\n\n", *words("a</think>b"), chat_event(finish="stop"), DONE],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams(gateway: Gateway, name: str) -> None:
    """Reasoning is removed from a stream as its file shows; a replay gives the same."""
    strip, events = STREAMS[name]
    whole = b"".join(events)
    odd = [whole[at : at + 11] for at in range(0, len(whole), 11)]
    upstream = Upstream(chunked_reply(*odd))
    evaluation = gateway.open_evaluation(upstream, settings={"model": f"stream {name}"}, strip_reasoning=strip)
    got = evaluation.post(stream=True, temperature=0)
    check(
        f"stream-{name}",
        {
            "strip_reasoning": strip,
            "the model says": whole.decode(),
            "the harness gets": got.body.decode(),
            "record": _reasoning(evaluation),
        },
    )
    assert evaluation.restart().post(stream=True, temperature=0).body == got.body


# Samples that differ by their seeds


@pytest.mark.parametrize("cache", [True, False])
def test_reseed(gateway: Gateway, cache: bool) -> None:
    """Each further sample of the same question has a seed of its own, with a cache or without."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    evaluation = gateway.open_evaluation(upstream, reseed=True, cache=cache)
    evaluation.post_repeatedly(3, seed=11, temperature=1)
    evaluation.post_repeatedly(1, temperature=1)
    evaluation.post_repeatedly(2, seed=11, temperature=0)
    seeds = [body.get("seed") for body in upstream.bodies]
    greedy = [11] if cache else [11, 11]
    assert seeds == [11, 11 + 1_000_003, 11 + 2_000_006, None, *greedy]


def test_reseeded_samples_are_others(gateway: Gateway) -> None:
    """A second sample with a seed of its own is never answered by one that had the first's."""
    upstream = Upstream([http_reply(chat_completion("the same"))])
    gateway.open_evaluation(upstream).post_repeatedly(2, seed=1, temperature=1)
    evaluation = gateway.open_evaluation(upstream.use_scripts([http_reply(chat_completion("new"))]), reseed=True)
    assert [one.text for one in evaluation.post_repeatedly(2, seed=1, temperature=1)] == ["the same", "new"]


def test_a_truncated_sample_is_not_asked_for_again(gateway: Gateway) -> None:
    """A sample that was cut off is a sample: the next one has the next seed."""
    upstream = Upstream([http_reply(chat_completion("7", "length"))])
    evaluation = gateway.open_evaluation(upstream, reseed=True)
    evaluation.post_repeatedly(3, seed=1, temperature=1)
    assert len({body["seed"] for body in upstream.bodies}) == 3
