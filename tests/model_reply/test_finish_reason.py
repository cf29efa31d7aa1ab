"""Why a reply ended, in one vocabulary."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.model_reply.finish_reason import read_finish_reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("end_turn", "stop"),
        ("SAFETY", "content_filter"),
        ("tool_use", "tool_calls"),
        ("abort", "abort"),
        ("nobody's", "nobody's"),
        (None, None),
        (7, 7),
    ],
)
def test_servers_words_for_a_reason(given: Any, reason: Any) -> None:
    """Other servers' words are read as OpenAI's; what is unknown, or no word, stays."""
    assert read_finish_reason({"finish_reason": given}) == reason
