"""Expressions are read as the manual says, and each mistake is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.language.diagnostic import EvalmakeError
from evalmake.sample_filter.evaluation import make_filter
from evalmake.sample_filter.fields import FIELDS, KnownNames, find_meanings
from evalmake.sample_filter.parser import MOST_DEPTH, parse_filter
from evalmake.sample_filter.tree import Comparison, Field, Joined, Literal, Not, Values
from evalmake.terminal.diagnostics import render
from tests.support.projects import check_golden

HERE = Path(__file__).parent
KNOWN = KnownNames(("accuracy", "f1"), ("params.temperature",), lambda: ("level", "topic"))


def refusal(text: str) -> str:
    """The message for an expression that is wrong; empty for one that is right."""
    try:
        find_meanings(*parse_filter(text), KNOWN)
    except EvalmakeError as error:
        return render(error.diagnostics)
    return ""


def test_every_mistake_has_its_message() -> None:
    """A caret under the place, and what to write instead where that can be told."""
    mistakes = (HERE / "mistakes.txt").read_text().split("\n")[:-1]
    said = {text: refusal(text) for text in mistakes}
    assert all(said.values()), [text for text, message in said.items() if not message]
    check_golden(HERE / "golden/mistakes.txt", "\n\n".join(said.values()) + "\n")


def test_operators_bind_as_in_python() -> None:
    """`or` is weaker than `and`, which is weaker than `not`, which is weaker than a comparison."""
    _, node = parse_filter("a == 1 or not b in [1, 'x'] and c")
    assert isinstance(node, Joined)
    assert node.operator == "or"
    both = node.operands[1]
    assert isinstance(both, Joined)
    assert both.operator == "and"
    negated = both.operands[0]
    assert isinstance(negated, Not)
    assert isinstance(negated.operand, Comparison)
    assert isinstance(negated.operand.right, Values)
    assert [item.value for item in negated.operand.right.items] == [1.0, "x"]


def test_fields_have_parts_and_texts_escapes() -> None:
    """A part has a name or quotes; a backslash stays where it is no escape, as patterns have many."""
    _, node = parse_filter(r"""record.meta["odd \"key\""] == 'it\'s \d\n'""")
    assert isinstance(node, Comparison)
    assert isinstance(node.left, Field)
    assert node.left.path == ("record", "meta", 'odd "key"')
    assert isinstance(node.right, Literal)
    assert node.right.value == "it's \\d\n"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "not " * 2000 + "true",
        "score == 1 and " * 600 + "true",
        "lower(" * 1500,
        "x" * 10_001,
        '"' + "\\" * 9000,
        "record" + ".a" * 4900,
        "reply matches " + '"' + "(" * 990 + '"',
        "reply matches " + '"' + "(?:" * 300 + ")" * 300 + '"',
        "id in [" + "1," * 4900,
        "\0",
        "\ud800",
    ],
    ids=lambda text: text[:10].replace("\0", "NUL"),
)
def test_no_text_is_too_much(text: str) -> None:
    """However long or deep, it is an expression, or a diagnostic says why not; no other exception comes."""
    said = refusal(text)
    assert said == "" or "[bad-filter]" in said or "[unknown-field]" in said


def test_depth_is_bounded() -> None:
    """So many levels are read and evaluated, and one more is refused."""
    levels = "(" * MOST_DEPTH + "score" + ")" * MOST_DEPTH
    assert refusal(levels) == ""
    assert "deeper than" in refusal(f"({levels})")
    _, node = parse_filter("not " * MOST_DEPTH + "score")
    assert make_filter(node, lambda field: lambda sample: sample)(1)


_WORDS = st.sampled_from(
    [
        *FIELDS,
        *("and", "or", "not", "in", "matches", "lower", "len", "record", "scores", "true", "none", "f1"),
        *("(", ")", "[", "]", ",", ".", "==", "!=", "<", ">=", "=", "&&", "-", "\\"),
        *('"', "'", '"a"', "'b'", "3", "-1.5e3"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=40) | st.lists(_WORDS, max_size=14).map(" ".join), VALUES)
def test_any_text_is_an_expression_or_a_diagnostic(text: str, value: object) -> None:
    """Never another exception; and an expression is true or false of every sample."""
    try:
        source, node = parse_filter(text)
        find_meanings(source, node, KNOWN)
    except EvalmakeError as error:
        (one,) = error.diagnostics
        assert one.code in ("bad-filter", "unknown-field")
        assert one.span is not None
        assert render([one])
        return
    assert make_filter(node, lambda field: lambda sample: value)(None) in (True, False)
