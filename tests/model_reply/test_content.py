"""The text of a message, in all the forms that servers send."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.model_reply.content import read_answer, read_part_reasoning, read_reasoning, read_refusal


def choice(content: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A choice of a chat completion."""
    return {"message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (choice("7"), "7"),
        (choice(""), ""),
        (choice([{"type": "text", "text": "7"}, {"type": "text", "text": " or 8"}]), "7 or 8"),
        (choice([{"type": "reasoning", "text": "6"}, {"type": "output_text", "text": "7"}]), "7"),
        (
            choice([{"type": "thinking", "thinking": [{"type": "text", "text": "6"}]}, {"type": "text", "text": "7"}]),
            "7",
        ),
        (choice([{"type": "redacted_thinking", "data": "x"}, "7"]), "7"),
        (choice([{"thinking": "6"}, {"text": "7"}]), "7"),
        (choice([{"type": "image_url", "image_url": {"url": "data:"}}]), ""),
        (choice([]), ""),
        ({"text": "7"}, "7"),
        ({"text": "", "finish_reason": "stop"}, ""),
        # without content: the model's doing, or the server's
        (choice(None), None),
        (choice(None, reasoning=""), None),
        (choice(None, reasoning_content=None), None),
        (choice(None, "length"), ""),
        (choice(None, "MAX_TOKENS"), ""),
        (choice(None, "content_filter"), ""),
        (choice(None, reasoning="6"), ""),
        (choice(None, reasoning_details=[{"type": "reasoning.text", "text": "6"}]), ""),
        (choice(None, thinking="6"), ""),
        (choice(None, tool_calls=[{"id": "1"}]), ""),
        (choice(None, refusal="No."), ""),
        ({"message": {}, "finish_reason": "stop"}, None),
        ({"text": None, "finish_reason": "stop"}, None),
        ({}, None),
        ({"message": 7}, None),
    ],
)
def test_answers(given: dict[str, Any], answer: str | None) -> None:
    """A model that replied with no text gave an empty answer; a server that failed gave none."""
    assert read_answer(given) == answer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hm", "hm"),
        (None, ""),
        ([{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.summary", "summary": "m"}], "hm"),
        ([{"type": "reasoning.encrypted", "data": "x"}], ""),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, "hm"),
        ({"summary": [{"type": "summary_text", "text": "hm"}]}, "hm"),
        (7, ""),
    ],
)
def test_reasoning(value: object, text: str) -> None:
    """A field of reasoning may be a text, a list, or objects in each other."""
    assert read_reasoning(value) == text


def test_parts_and_refusals() -> None:
    """Reasoning among parts is found, and a refusal counts only in place of text."""
    assert read_part_reasoning([{"type": "thinking", "thinking": "h"}, {"type": "text", "text": "7"}, "x"]) == "h"
    assert read_refusal(choice(None, refusal="No.")) == "No."
    assert read_refusal(choice("7", refusal="No.")) == ""
    assert read_refusal({"text": "7"}) == ""
