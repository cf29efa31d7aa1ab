"""Tools: the mock calls one where the request demands it, with arguments that fit its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalmake.engines.mock.request_fields import ApiError, Body


def find_demanded_tool(body: Body) -> Mapping[str, Any] | None:
    """The function that must be called: the one that `tool_choice` names, or the first if any will do.

    Raises ApiError 400 for tools, or a choice of them, that are none.
    """
    functions = _read_functions(body)
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return None
    if not functions:
        raise ApiError(400, "tool_choice is only allowed when tools are specified", "tool_choice")
    if choice == "required":
        return functions[0]
    wanted = choice.get("function") if isinstance(choice, dict) else None
    name = wanted.get("name") if isinstance(wanted, dict) else None
    found = next((function for function in functions if function["name"] == name), None)
    if found is None:
        raise ApiError(400, "tool_choice must be none, auto, required or one of the tools", "tool_choice")
    return found


def call_function(function: Mapping[str, Any], answer: str, serial: int) -> list[Body]:
    """A call in which each argument is the answer, or the nearest that its type allows."""
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    fields = properties if isinstance(properties, dict) else {}
    arguments = {name: _make_argument(field, answer) for name, field in fields.items()}
    text = json.dumps(arguments, ensure_ascii=False)
    return [{"id": f"call_{serial:x}", "type": "function", "function": {"name": function["name"], "arguments": text}}]


def check_calls(messages: list[Body]) -> None:
    """Raise ApiError 400 where a tool's result belongs to no call before it, or a call has no result."""
    missing: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in missing:
                raise ApiError(400, "a tool message must follow the call with its tool_call_id", "messages")
            missing.remove(message["tool_call_id"])
        elif missing:
            break
        else:
            missing = [str(call.get("id")) for call in message.get("tool_calls") or () if isinstance(call, dict)]
    if missing:
        raise ApiError(400, f"the call {missing[0]} has no tool message with its result", "messages")


def _read_functions(body: Body) -> list[Mapping[str, Any]]:
    tools = body.get("tools")
    if tools is None:
        return []
    listed = tools if isinstance(tools, list) else []
    functions = [tool.get("function") if isinstance(tool, dict) else None for tool in listed]
    found: list[Mapping[str, Any]] = [
        one for one in functions if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]
    if not found or len(found) < len(functions):
        raise ApiError(400, "tools must be a list of functions with names", "tools")
    return found


def _make_argument(field: object, answer: str) -> object:
    schema = field if isinstance(field, dict) else {}
    options, kind = schema.get("enum"), schema.get("type")
    if isinstance(options, list) and options:
        return answer if answer in options else options[0]
    match kind:
        case "integer" | "number":
            try:
                return int(answer) if kind == "integer" else float(answer)
            except ValueError:
                return 0
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
    return answer
