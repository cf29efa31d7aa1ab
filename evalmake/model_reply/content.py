"""The text of a reply's message, and the reasoning next to it: servers have many forms for both.

The text is a string or a list of parts (OpenAI, Mistral, Anthropic); some parts are reasoning. Other servers put the
reasoning into a field of its own: `reasoning_content` (DeepSeek, SGLang), `reasoning` (vLLM, OpenRouter),
`reasoning_details` (OpenRouter), `thinking` (Ollama), `thinking_blocks` (LiteLLM).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.model_reply.finish_reason import read_finish_reason

REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
_REASONING_PARTS = ("reasoning", "thinking", "redacted_thinking")
_TEXT_KEYS = ("text", "thinking", "reasoning", "reasoning_content", "summary", "content")
_OTHER_REPLIES = ("refusal", "tool_calls", "function_call", "audio")
_ENDS_WITHOUT_TEXT = ("length", "content_filter")


def read_text(content: object) -> str | None:
    """The text of a message's content without the parts that are reasoning; None if it has no content."""
    if isinstance(content, list):
        return "".join(_part_text(part) for part in content if not _is_reasoning_part(part))
    return content if isinstance(content, str) else None


def read_part_reasoning(content: object) -> str:
    """The reasoning among the parts of a message's content."""
    parts = content if isinstance(content, list) else []
    return "".join(read_reasoning(part) for part in parts if _is_reasoning_part(part))


def read_reasoning(value: object) -> str:
    """The text of a reasoning field or part, which may be a string, a list, or objects in each other."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(read_reasoning, value))
    if isinstance(value, Mapping):
        return next((text for key in _TEXT_KEYS if (text := read_reasoning(value.get(key)))), "")
    return ""


def has_reasoning(message: Mapping[str, Any]) -> bool:
    """Whether a message has a reasoning field with something in it: some servers always send an empty one."""
    return any(message.get(name) for name in REASONING_FIELDS)


def read_answer(choice: Mapping[str, Any]) -> str | None:
    """What a choice of a reply says, from either API; None where the server failed to say anything.

    A model that refused, only reasoned, called a tool, or was cut off before its first word has replied: with no text.
    """
    text = read_text(_find_content(choice))
    return "" if text is None and _is_empty_by_model(choice) else text


def describe_no_text(choice: Mapping[str, Any]) -> str:
    """What a choice without an answer has: null or missing content, or one that is no text."""
    content = _find_content(choice)
    return "null content" if content is None else f"{_name_kind(content)} as content, not text"


def read_refusal(choice: Mapping[str, Any]) -> str:
    """The text of a refusal in place of content; empty if there is none."""
    message = choice.get("message")
    if not isinstance(message, dict) or read_text(message.get("content")):
        return ""
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


def _find_message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message = choice.get("message")
    return message if isinstance(message, dict) else {}


def _find_content(choice: Mapping[str, Any]) -> object:
    """The content of a chat's message, or the text of a completion, whatever it is."""
    message = _find_message(choice)
    return message.get("content") if message else choice.get("text")


def _name_kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "an object" if isinstance(value, Mapping) else "a number"


def _is_empty_by_model(choice: Mapping[str, Any]) -> bool:
    """Whether a choice without content is the model's own doing, and not a fault of the server."""
    message = _find_message(choice)
    return (
        has_reasoning(message)
        or any(message.get(name) for name in _OTHER_REPLIES)
        or read_finish_reason(choice) in _ENDS_WITHOUT_TEXT
    )


def _is_reasoning_part(part: object) -> bool:
    if not isinstance(part, Mapping):
        return False
    kind = str(part.get("type") or next(iter(part), ""))
    return kind.startswith(_REASONING_PARTS)


def _part_text(part: object) -> str:
    """The text of a part, which may be a string; empty for images and the like."""
    if not isinstance(part, Mapping):
        return part if isinstance(part, str) else ""
    text = part.get("text")
    return text if isinstance(text, str) else ""
