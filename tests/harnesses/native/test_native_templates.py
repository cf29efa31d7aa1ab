"""Templates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.template import MissingFieldError, parse


@pytest.mark.parametrize(
    ("template", "record", "text"),
    [
        ("{q}?", {"q": "why"}, "why?"),
        ("{q.en}!", {"q": {"en": "hi"}}, "hi!"),
        ("{l.1}.", {"l": ["a", "b"]}, "b."),
        ("{a.b}.", {"a.b": "dotted header"}, "dotted header."),
        ("{q} {q}", {"q": 1.5}, "1.5 1.5"),
        ("{the q}", {"the q": "x"}, "x"),
        ("{{q}}", {}, "{q}"),
        ("{{{q}}}", {"q": "x"}, "{x}"),
        ("<{q}>", {"q": None}, "<>"),
        ("<{q}>", {"q": True}, "<true>"),
        ("<{q}>", {"q": ["ä", 1]}, '<["ä", 1]>'),
        ("", {}, ""),
    ],
)
def test_templates_are_filled(template: str, record: dict[str, Any], text: str) -> None:
    """Fields, fields of fields and doubled braces become text."""
    assert parse(template, "prompt").text(record) == text


@pytest.mark.parametrize("value", ["x", 3, 2.5, None, True, ["a"], {"b": 1}])
def test_one_field_keeps_its_type(value: object) -> None:
    """A template that is exactly one field gives the value itself."""
    assert parse("{v}", "target").value({"v": value}) is value


@pytest.mark.parametrize(("text", "at"), [("a {b", 3), ("a } b", 3), ("{}", 1), ("{a{b}", 1)])
def test_unmatched_braces_are_refused(text: str, at: int) -> None:
    """A stray brace is an error that says where it is and how to write a real one."""
    with pytest.raises(TaskError, match=rf"prompt: unmatched '.' at character {at}; .* '(\{{|\}})"):
        parse(text, "prompt")


@pytest.mark.parametrize(
    ("text", "cure"),
    [("{ q }", "write `{q}`"), ("{a.b }", "write `{a.b}`"), ('{ "a": 1 }', "a brace itself is `{{`")],
)
def test_blanks_around_a_name_are_refused(text: str, cure: str) -> None:
    """A field is written in one way; what is no field, such as JSON, is told how to write braces."""
    with pytest.raises(TaskError) as caught:
        parse(f"x {text}", "prompt")
    assert caught.value.messages == (f"prompt: `{text}` has blanks inside its braces; {cure}",)


def test_a_missing_field_is_named() -> None:
    """The message says which field is missing and which there are."""
    with pytest.raises(MissingFieldError, match="no field 'answer'; it has question, id"):
        parse("{answer}", "target").value({"question": 1, "id": 2})


@given(st.text())
def test_escaped_text_comes_back(text: str) -> None:
    """Any text with its braces doubled is a template for itself."""
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert parse(escaped, "prompt").text({}) == text


@given(st.text(), st.text(), st.text())
def test_a_field_stands_between_its_neighbours(before: str, value: str, after: str) -> None:
    """A field's text is put in as it is, braces and all, between the literal texts."""
    left, right = (one.replace("{", "{{").replace("}", "}}") for one in (before, after))
    assert parse(f"{left}{{v}}{right}", "prompt").text({"v": value}) == before + value + after
