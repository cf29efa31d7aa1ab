"""Which replies are whole. Only these are cached: a broken one may be better the next time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.model_reply.content import read_text
from evalmake.model_reply.finish_reason import read_finish_reason

FAILED_FINISH_REASONS = ("error", "abort")
"""With these finish reasons a server says, under status 200, that it failed."""
_RESULT_FIELDS = ("data", "results", "tokens", "prompt")
_OTHER_CONTENT = ("tool_calls", "function_call", "refusal", "audio", "images")


def is_complete(
    reply: Mapping[str, Any], request: Mapping[str, Any], allow_truncated: bool = False, allow_empty: bool = False
) -> bool:
    """Whether a reply is whole: no error, no null content, not cut off, not empty.

    A request for one token or an echo (log-probabilities) asks for a reply that is cut off, and may be empty.
    """
    if reply.get("error"):
        return False
    choices = reply.get("choices")
    if choices is None:
        return any(key in reply for key in _RESULT_FIELDS) or reply.get("status") == "completed"
    if not isinstance(choices, list) or not choices:
        return False
    max_tokens = request.get("max_completion_tokens", request.get("max_tokens"))
    wants_cut = bool(request.get("echo") or max_tokens in (0, 1))
    return all(
        _is_choice_complete(choice, allow_truncated or wants_cut, allow_empty or wants_cut) for choice in choices
    )


def _is_choice_complete(choice: object, allow_truncated: bool, allow_empty: bool) -> bool:
    if not isinstance(choice, dict):
        return False
    finish = read_finish_reason(choice)
    message = choice.get("message")
    if finish is None or finish in FAILED_FINISH_REASONS or (finish == "length" and not allow_truncated):
        return False
    if isinstance(message, dict) and any(message.get(key) for key in _OTHER_CONTENT):
        return True
    text = read_text(message.get("content") if isinstance(message, dict) else choice.get("text"))
    return text is not None and (allow_empty or finish == "content_filter" or bool(text.strip()))
