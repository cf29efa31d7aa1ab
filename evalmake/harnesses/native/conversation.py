"""Conversations of records: messages in OpenAI's chat format, their checks, and the turns in which they are asked.

A user message that follows a user message, or a tool's result, begins a new turn: the model is asked before it, and
its reply goes in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evalmake.harnesses.native.errors import RecordError

Message = dict[str, Any]
Turn = tuple[Message, ...]
"""The messages that are added to a conversation before the model is asked."""

CONFLICTS = {
    "prompt": "they are two ways to ask a question",
    "choices": "a conversation has its options in its messages",
    "examples": "a conversation has its turns in its messages",
    "image": "a conversation has its pictures in the parts of its messages",
    "audio": "a conversation has its clips in the parts of its messages",
}
"""Keys that cannot stand beside `messages`, and why."""
ROLES = ("system", "developer", "user", "assistant", "tool")
_INSTRUCTIONS = ("system", "developer")
_KEYS = {
    "system": ("content", "name"),
    "developer": ("content", "name"),
    "user": ("content", "name"),
    "assistant": ("content", "name", "refusal", "tool_calls", "reasoning_content"),
    "tool": ("content", "tool_call_id", "name"),
}
"""What a message of each role may have beside its role."""
_PARTS = {"text": ("text",), "image_url": ("image_url",), "input_audio": ("input_audio",)}
_DETAILS = ("auto", "low", "high")
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_SHARE_GPT = {"from", "value"}


def read_messages(value: object, path: str, system: str | None = None) -> tuple[Message, ...]:
    """The messages of a record's field, with a system message before them; RecordError for the first mistake.

    A key that is null counts as absent, as Parquet has all keys in all messages.
    """
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else f"{name_kind(value)}, not a list of messages"
        help = f'write `prompt = "{{{path}}}"` for a text' if isinstance(value, str) else ""
        raise RecordError("messages", f"the field '{path}' is {what}", help)
    messages = [_read_message(one, f"message {number}") for number, one in enumerate(value, 1)]
    _check_results(messages)
    last = messages[-1]["role"]
    if last not in ("user", "tool"):
        raise RecordError("messages", f"the last message is of the role '{last}': there is nothing to reply to")
    if system is None:
        return tuple(messages)
    if any(message["role"] in _INSTRUCTIONS for message in messages):
        raise RecordError("system", "the conversation has a system message of its own", "leave out `system`")
    return ({"role": "system", "content": system}, *messages)


def split_turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """The turns of a conversation: what is added before each request."""
    turns: list[list[Message]] = [[]]
    waiting: int | None = None  # how much of the turn is there, once it can be asked
    for message in messages:
        if message["role"] == "user" and waiting is not None:
            turns[-1], rest = turns[-1][:waiting], turns[-1][waiting:]
            turns.append(rest)
        turns[-1].append(message)
        if message["role"] in ("user", "tool"):
            waiting = len(turns[-1])
        elif message["role"] == "assistant":
            waiting = None
    return tuple(map(tuple, turns))


def render_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as one text, for whoever reads no messages: the question alone if there is only that."""
    shown = [message for message in messages if message["role"] not in _INSTRUCTIONS]
    texts = [_render_content(message) for message in shown]
    if len(shown) == 1:
        return texts[0]
    return "\n\n".join(f"{message['role']}: {text}" for message, text in zip(shown, texts, strict=True))


def list_parts(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The parts of all messages that have a list of them."""
    return [part for message in messages if isinstance(message.get("content"), list) for part in message["content"]]


def name_kind(value: object) -> str:
    """What a value is, in words."""
    names = {str: "a text", list: "a list", dict: "an object", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


# Checks -----------------------------------------------------------------------------------------------


def _read_message(value: object, where: str) -> Message:
    """One message without its null keys."""
    if not isinstance(value, dict):
        raise _mistake(f"{where} is {name_kind(value)}, not an object with `role` and `content`")
    message = {key: one for key, one in value.items() if one is not None}
    role = message.get("role")
    if role is None and set(message) >= _SHARE_GPT:
        raise _mistake(f"{where} has `from` and `value`; in the chat format they are `role` and `content`")
    if role not in ROLES:
        given = "has no role" if role is None else f"has the role {_quote(role)}"
        raise _mistake(f"{where} {given}; the roles are {', '.join(ROLES)}")
    if strange := [key for key in message if key != "role" and key not in _KEYS[str(role)]]:
        known = ", ".join(("role", *_KEYS[str(role)]))
        raise _mistake(f"{where} has the key {_quote(strange[0])}; a message of the role '{role}' can have {known}")
    for key in ("name", "refusal", "tool_call_id", "reasoning_content"):
        if key in message and not isinstance(message[key], str):
            raise _mistake(f"{where}: `{key}` is {name_kind(message[key])}, not a text")
    if "tool_calls" in message:
        _check_calls(message["tool_calls"], where)
    if role == "tool" and "tool_call_id" not in message:
        raise _mistake(f"{where} has no `tool_call_id`: the id of the call that it is the result of")
    return _check_content(message, where)


def _check_content(message: Message, where: str) -> Message:
    """The message with its parts checked, and without those keys of them that are null."""
    content, role = message.get("content"), message["role"]
    if content is None:
        if role == "assistant" and any(message.get(key) for key in ("tool_calls", "refusal")):
            return message
        raise _mistake(f"{where} has no content")
    if isinstance(content, str):
        if role == "user" and not content.strip():
            raise _mistake(f"{where}: the content is empty")
        return message
    if not isinstance(content, list):
        raise _mistake(f"{where}: the content is {name_kind(content)}, not a text or a list of parts")
    if not content:
        raise _mistake(f"{where}: the content is an empty list")
    parts = [_read_part(part, role, f"{where}, part {number}") for number, part in enumerate(content, 1)]
    return message | {"content": parts}


def _read_part(part: object, role: str, where: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise _mistake(f"{where} is {name_kind(part)}, not an object")
    found = {key: value for key, value in part.items() if value is not None}
    kind = found.get("type")
    if not isinstance(kind, str) or kind not in _PARTS:
        raise _mistake(f"{where} has the type {_quote(kind)}; the types are {', '.join(_PARTS)}")
    if kind != "text" and role != "user":
        raise _mistake(f"{where} has the type '{kind}', which only a message of the role 'user' can have")
    if strange := [key for key in found if key != "type" and key not in _PARTS[kind]]:
        raise _mistake(f"{where} has the key {_quote(strange[0])}; a part of the type '{kind}' has `{kind}`")
    value = found.get(kind)
    if kind == "text":
        if not isinstance(value, str):
            raise _mistake(f"{where}: `text` is {name_kind(value)}, not a text")
        return found
    key = "url" if kind == "image_url" else "data"
    form = '{"url": "..."}' if kind == "image_url" else '{"data": "...", "format": "wav"}'
    if not isinstance(value, dict) or not isinstance(value.get(key), str) or not value[key]:
        raise _mistake(f"{where}: `{kind}` is an object: {form}")
    inner = {name: one for name, one in value.items() if one is not None}
    if strange := [name for name in inner if name not in (key, "detail" if key == "url" else "format")]:
        raise _mistake(f"{where}: `{kind}` has the key {_quote(strange[0])}; it is {form}")
    if inner.get("detail", "auto") not in _DETAILS:
        raise _mistake(f"{where}: `detail` is {_quote(inner['detail'])}; it can be {', '.join(_DETAILS)}")
    return found | {kind: inner}


def _check_calls(calls: object, where: str) -> None:
    if not isinstance(calls, list) or not calls:
        raise _mistake(f"{where}: `tool_calls` is {name_kind(calls) if calls else 'empty'}, not a list of calls")
    for number, call in enumerate(calls, 1):
        at = f"{where}, call {number}"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or call.get("type") != "function" or not isinstance(function, dict):
            form = '{"id": "...", "type": "function", "function": {"name": "...", "arguments": "{}"}}'
            raise _mistake(f"{at} is no call of a function: {form}")
        if not isinstance(call.get("id"), str) or not call["id"]:
            raise _mistake(f"{at} has no `id`")
        if not isinstance(function.get("name"), str) or not _NAME.fullmatch(function["name"]):
            raise _mistake(f"{at}: the name {_quote(function.get('name'))} is none of a function")
        if not isinstance(function.get("arguments"), str):
            kind = name_kind(function.get("arguments"))
            raise _mistake(f"{at}: `arguments` is {kind}, not a text", "write the arguments as a text of JSON")


def _check_results(messages: Sequence[Message]) -> None:
    """Check that each call of a tool has its result right after it, and each result its call."""
    open_calls: list[str] = []
    for number, message in enumerate(messages, 1):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise _mistake(
                    f"message {number} is the result of {_quote(message['tool_call_id'])}, no call before it"
                )
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            raise _mistake(f"message {number} comes before the result of the call '{open_calls[0]}'")
        open_calls = [call["id"] for call in message.get("tool_calls", ())]


def _mistake(message: str, help: str = "") -> RecordError:
    return RecordError("messages", message, help)


def _quote(value: object) -> str:
    return f"'{value[:40]}'" if isinstance(value, str) else name_kind(value)


def _render_content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    texts = [content] if isinstance(content, str) else [_render_part(part) for part in content or ()]
    for call in message.get("tool_calls") or ():
        texts.append(f"[calls {call['function']['name']}({call['function']['arguments']})]")
    return "\n".join(texts)


def _render_part(part: Mapping[str, Any]) -> str:
    return str(part["text"]) if part["type"] == "text" else "[image]" if part["type"] == "image_url" else "[audio]"
