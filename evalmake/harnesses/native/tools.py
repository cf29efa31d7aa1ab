"""The tools that a model is offered: their list, checked against OpenAI's chat format."""

from __future__ import annotations

import re
from typing import Any, cast

from evalmake.harnesses.native.errors import RecordError

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FORM = '{ type = "function", function = { name = "...", parameters = { ... } } }'
_KEYS = ("name", "description", "parameters", "strict")


def find_tools_mistake(tools: object) -> str:
    """What is wrong with a list of tools; empty if nothing is."""
    if not isinstance(tools, list | tuple):
        return "it is not a list of tools"
    seen: set[str] = set()
    for number, tool in enumerate(tools, 1):
        if mistake := _find_tool_mistake(tool):
            return f"tool {number} {mistake}"
        name = tool["function"]["name"]
        if name in seen:
            return f"tool {number} has the name of an earlier one, '{name}'"
        seen.add(name)
    return ""


def read_tools(value: object, path: str) -> tuple[dict[str, Any], ...]:
    """The tools in a record's field, none if it is null; RecordError for the first mistake.

    A key of a tool that is null counts as absent, as Parquet has all keys in all objects.
    """
    if value is None:
        return ()
    tools = [_drop_nulls(tool) for tool in value] if isinstance(value, list) else value
    if mistake := find_tools_mistake(tools):
        raise RecordError("tools", f"the tools in '{path}': {mistake}")
    return tuple(cast("list[dict[str, Any]]", tools))


def _find_tool_mistake(tool: Any) -> str:
    if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
        return f"is no function: {_FORM}"
    if strange := [key for key in tool if key not in ("type", "function")]:
        return f"has the key '{strange[0]}'; it is {_FORM}"
    function = tool["function"]
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "has no `name` of up to 64 letters, digits, `_` and `-`"
    if strange := [key for key in function if key not in _KEYS]:
        return f"has the key '{strange[0]}' in `function`, which has {', '.join(_KEYS)}"
    if not isinstance(function.get("parameters", {}), dict):
        return "has `parameters` that are no JSON schema"
    if not isinstance(function.get("description", ""), str):
        return "has a `description` that is no text"
    return ""


def _drop_nulls(tool: Any) -> Any:
    """A tool without null keys; its schema of parameters is left as it is, where null may mean something."""
    if not isinstance(tool, dict):
        return tool
    found = {key: value for key, value in tool.items() if value is not None}
    function = found.get("function")
    if isinstance(function, dict):
        found["function"] = {key: value for key, value in function.items() if value is not None}
    return found
