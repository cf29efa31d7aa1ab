"""Tools, pictures and sounds in requests to the mock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalmake.engines.mock.chat import complete_chat
from evalmake.engines.mock.request_fields import ApiError, Body
from evalmake.engines.mock.skill import Skill

SCHEMA = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "share": {"type": "number"},
        "text": {"type": "string"},
        "unit": {"enum": ["m", "km"]},
        "exact": {"type": "boolean"},
        "list": {"type": "array"},
        "map": {"type": "object"},
    },
}
TOOLS = [
    {"type": "function", "function": {"name": "note"}},
    {"type": "function", "function": {"name": "answer", "parameters": SCHEMA}},
]


def ask(messages: list[Body] | None = None, **fields: Any) -> Any:
    """What the mock replies."""
    body = {"messages": messages or [{"role": "user", "content": "What is 6 * 7?"}], **fields}
    return complete_chat(body, Skill(0, 1.0), "mock", 11)


def test_a_named_tool_is_called() -> None:
    """Arguments are the answer, in the types that the schema has."""
    choice = ask(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "answer"}})["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")
    [call] = choice["message"]["tool_calls"]
    assert (call["id"], call["type"], call["function"]["name"]) == ("call_b", "function", "answer")
    assert json.loads(call["function"]["arguments"]) == {
        "value": 42,
        "share": 42.0,
        "text": "42",
        "unit": "m",
        "exact": True,
        "list": [],
        "map": {},
    }


def test_any_tool_is_the_first() -> None:
    """`required` calls the first tool; other choices answer in words."""
    [call] = ask(tools=TOOLS, tool_choice="required")["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "note", "arguments": "{}"}
    for choice in ("auto", "none", None):
        assert ask(tools=TOOLS, tool_choice=choice)["choices"][0]["message"]["content"] == "42"


def test_calls_are_streamed() -> None:
    """A stream has the whole call in one part."""
    events = ask(tools=TOOLS, tool_choice="required", stream=True)
    delta = events[0]["choices"][0]["delta"]
    assert delta["tool_calls"][0]["function"]["name"] == "note"
    assert (delta["tool_calls"][0]["index"], events[1]["choices"][0]["finish_reason"]) == (0, "tool_calls")


def part(kind: str, **value: Any) -> list[Body]:
    """A conversation with one part that is no text."""
    return [{"role": "user", "content": [{"type": kind, kind: value}]}]


CALL = {"id": "a", "type": "function", "function": {"name": "note", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tools": []}, "tools must be a list of functions with names"),
        ({"tools": [{}]}, "tools must be a list of functions with names"),
        ({"tools": "note"}, "tools must be a list of functions with names"),
        ({"tool_choice": "required"}, "tool_choice is only allowed when tools are specified"),
        ({"tools": TOOLS, "tool_choice": "note"}, "tool_choice must be none, auto, required or one of the tools"),
        ({"tools": TOOLS, "tool_choice": {"function": {"name": "no"}}}, "tool_choice must be none, auto, required"),
        ({"messages": [{"role": "tool", "content": "1"}]}, "a tool message must follow the call with its tool_call_id"),
        ({"messages": [CALLS, {"role": "user", "content": "a"}]}, "the call a has no tool message with its result"),
        ({"messages": [CALLS]}, "the call a has no tool message with its result"),
        ({"messages": part("image_url", url="cat.png")}, "image_url must have a url of a picture"),
        ({"messages": part("image_url", url="data:image/png;base64,?")}, "image_url must have a url of a picture"),
        ({"messages": part("image_url")}, "image_url must have a url of a picture"),
        ({"messages": part("input_audio", data="clip.wav", format="wav")}, "input_audio must have base64 data"),
        ({"messages": part("input_audio", data="AAAA", format="ogg")}, "input_audio must have base64 data"),
    ],
)
def test_what_a_server_refuses(fields: Body, message: str) -> None:
    """Tools, calls, pictures and sounds that are none are errors 400."""
    with pytest.raises(ApiError, match=message):
        ask(**fields)


def test_what_a_server_accepts() -> None:
    """Results of tools, and pictures and sounds in OpenAI's form."""
    result = {"role": "tool", "tool_call_id": "a", "content": "6 * 7"}
    assert ask([{"role": "user", "content": "What is 5 + 6?"}, CALLS, result])["choices"][0]["message"]["content"]
    for url in ("https://models.example/cat.png", "data:image/png;base64,AAAA"):
        assert ask(part("image_url", url=url))["choices"]
    assert ask(part("input_audio", data="AAAA", format="wav"))["choices"]
