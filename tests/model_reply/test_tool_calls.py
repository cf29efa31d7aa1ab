"""The tool calls of a message, in the forms that servers have."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.model_reply.tool_calls import ToolCall, read_recorded_calls, read_tool_calls


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        ({}, []),
        ({"tool_calls": None}, []),
        ({"tool_calls": "capital"}, []),
        ({"tool_calls": [None, {}, {"function": None}, {"function": {"name": 5}}]}, []),
        (
            {"tool_calls": [{"id": "1", "function": {"name": "capital", "arguments": '{"of": "France"}'}}]},
            [ToolCall("1", "capital", {"of": "France"})],
        ),
        ({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, [ToolCall("", "f", {"a": 1})]),
        ({"tool_calls": [{"id": "1", "function": {"name": "f"}}]}, [ToolCall("1", "f", None)]),
        (
            {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": '}}]},
            [ToolCall("1", "f", '{"a": ')],
        ),
        ({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "NaN"}}]}, [ToolCall("1", "f", "NaN")]),
        (
            {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "[" * 100_000}}]},
            [ToolCall("1", "f", "[" * 100_000)],
        ),
        ({"tool_calls": [{"id": "1", "custom": {"name": "sql", "input": "select"}}]}, [ToolCall("1", "sql", "select")]),
        ({"function_call": {"name": "f", "arguments": "{}"}}, [ToolCall("", "f", {})]),
    ],
)
def test_calls_of_a_message(message: dict[str, Any], calls: list[ToolCall]) -> None:
    """Calls have their id, name and arguments; arguments that are no JSON stay a text, and what is no call is left."""
    assert read_tool_calls(message) == tuple(calls)


def test_recorded_calls_are_read_as_they_were() -> None:
    """What a sample records of calls gives the calls again."""
    calls = (ToolCall("1", "capital", {"of": "France"}), ToolCall("", "f", '{"a": '))
    assert read_recorded_calls([call.to_json() for call in calls]) == calls
