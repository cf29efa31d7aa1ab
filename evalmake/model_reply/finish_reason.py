"""Why a reply ended: servers have other words than OpenAI's for the same reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OTHER_WORDS = {
    "max_tokens": "length",
    "max_output_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "safety": "content_filter",
    "end_turn": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
}
"""Anthropic's, Gemini's, Mistral's and text-generation-inference's words, in lower case -> OpenAI's."""


def read_finish_reason(choice: Mapping[str, Any]) -> object:
    """The finish reason of a choice in OpenAI's words; what is no word stays as it is."""
    reason = choice.get("finish_reason")
    return name_finish_reason(reason) if isinstance(reason, str) else reason


def name_finish_reason(reason: str) -> str:
    """OpenAI's word for a reason; a reason that has none keeps its own."""
    return _OTHER_WORDS.get(reason.lower(), reason)
