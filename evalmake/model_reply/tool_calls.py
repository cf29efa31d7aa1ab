"""The tool calls of a reply: what a model wants to have run, instead of text or beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool.

    `arguments` are the value of the JSON that the model wrote; its text, where that is no JSON.
    """

    id: str
    name: str
    arguments: Any

    def to_json(self) -> dict[str, Any]:
        """The call as a sample records it."""
        return {"id": self.id, "name": self.name, "arguments": self.arguments}


def read_tool_calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """The calls of a message in OpenAI's form, with the `function_call` of its older form; others are left out."""
    calls = [(one.get("id"), _find_function(one)) for one in _list_objects(message.get("tool_calls"))]
    if not calls and isinstance(older := message.get("function_call"), Mapping):
        calls = [("", older)]
    return tuple(
        ToolCall(id if isinstance(id, str) else "", str(function["name"]), _read_arguments(function))
        for id, function in calls
        if isinstance(function.get("name"), str)
    )


def read_recorded_calls(value: object) -> tuple[ToolCall, ...]:
    """The calls that a sample records."""
    return tuple(
        ToolCall(str(one.get("id") or ""), str(one.get("name")), one.get("arguments")) for one in _list_objects(value)
    )


def _list_objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _find_function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a call that has its name: of a function, or of a custom tool, whose input is a text."""
    for key in ("function", "custom"):
        if isinstance(part := call.get(key), Mapping):
            return part
    return {}


def _read_arguments(function: Mapping[str, Any]) -> Any:
    """The arguments, which some servers send as a value and not as a text."""
    arguments = function.get("arguments", function.get("input"))
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return arguments


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
