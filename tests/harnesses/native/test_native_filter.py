"""`where`: the records that a benchmark takes of its files."""

from __future__ import annotations

import pytest

from evalmake.harnesses.native.record_filter import FilterError, parse_filter
from tests.harnesses.native.harness_bench import Body, Native, question

RECORD: Body = {
    "kind": "numeric",
    "level": 3,
    "csv": "3.0",
    "hard": True,
    "note": None,
    "meta": {"lang": "en us"},
    "Question Type": "x",
    "tags": ["a"],
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("kind = numeric", True),
        ("kind == numeric", True),
        ("kind=numeric", True),
        ('kind = "numeric"', True),
        ("{kind} = 'numeric'", True),
        ("kind = Numeric", False),
        ("kind != open", True),
        ("kind in [open, numeric]", True),
        ("kind in [open]", False),
        ("level = 3", True),
        ("level = 3.0", True),
        ('level = "3"', True),
        ("level >= 3", True),
        ("level > 3", False),
        ("level < 10", True),
        ("csv = 3", True),
        ("csv <= 3", True),
        ("hard = true", True),
        ("hard = True", True),
        ("hard = 1", False),
        ("hard != false", True),
        ("note = none", True),
        ("missing = none", True),
        ("missing != numeric", True),
        ("kind = none", False),
        ('meta.lang = "en us"', True),
        ("{Question Type} = x", True),
        ("kind = numeric and level >= 3 and hard = true", True),
        ("kind = numeric and level > 3", False),
    ],
)
def test_comparisons(text: str, holds: bool) -> None:
    """A field is compared as a person would, whether the data are typed or all text."""
    assert all(one.holds(RECORD) for one in parse_filter(text)) == holds


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("", "expected a comparison such as `kind = numeric`, and there is none", "a field is compared by"),
        ("kind", "expected a comparison such as `kind = numeric`, and this is `kind`", "a field is compared by"),
        (
            "kind ~ x",
            "expected a comparison such as `kind = numeric`, and this is `kind ~ x`",
            "a field is compared by",
        ),
        ("kind = a or level = 3", "expected `and` or the end, and this is `or level = 3`", "name several values"),
        ("kind = a andlevel = 3", "expected `and` or the end, and this is `andlevel = 3`", "a field is compared by"),
        ("kind = a, level = 3", "expected `and` or the end, and this is `, level = 3`", "comparisons are joined"),
        ("kind = a AND level = 3", "expected `and` or the end, and this is `AND level = 3`", "comparisons are joined"),
        ("kind = numeric and", "expected a comparison such as `kind = numeric`, and there is none", "a field is"),
        (
            "kind = open text",
            "expected `and` or the end, and this is `text`",
            "a value with spaces has quotes: `'open t",
        ),
        ("kind = 'a' b", "expected `and` or the end, and this is `b`", "a field is compared by"),
        (
            "'kind' = a",
            "expected a comparison such as `kind = numeric`, and this is `'kind' = a`",
            "the name of a field",
        ),
        ("kind not in [a]", "expected a comparison such as", "leave values out one by one"),
        ("kind = {other}", "expected a comparison such as", "a field is compared with a value"),
        ("{ kind } = a", "`{ kind }` has blanks inside its braces", "write `{kind}`"),
        ("level > many", "`>` compares numbers, and `many` is none", ""),
        ("level > '3'", "`>` compares numbers, and `'3'` is none", "a number has no quotes: `> 3`"),
        ("kind = __import__('os')", "expected `and` or the end", "a field is compared by"),
    ],
)
def test_mistakes(text: str, message: str, help: str) -> None:
    """Anything else is refused where it begins, with what to write instead."""
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert str(caught.value).startswith(message)
    assert caught.value.help.startswith(help)
    assert bool(caught.value.help) == bool(help)


DATA = [
    {"q": "1?", "a": "1", "kind": "numeric", "level": 1},
    {"q": "2?", "kind": "open"},
    {"q": "3?", "a": "3", "kind": "numeric", "level": 3},
]


def test_only_matching_records_are_asked(native: Native) -> None:
    """Other records need not fit the prompt, and those that match keep their place as id."""
    run = native(DATA, where="kind = numeric")
    assert run.err == ""
    assert sorted(question(body) for body in native.server.bodies) == ["1?", "3?"]
    assert [sample["id"] for sample in run.samples] == ["0", "2"]


def test_examples_are_filtered_too(native: Native) -> None:
    """Of mixed examples, those of the same sort are shown, and `fewshot` counts these."""
    other = {"q": "e?", "a": "9", "kind": "numeric", "level": 1}
    native(DATA, where="kind = numeric", examples=[DATA[1], other])
    shown = [[turn["content"] for turn in body["messages"]] for body in native.server.bodies]
    assert sorted(shown) == [["e?", "9", "1?"], ["e?", "9", "3?"]]
    run = native(DATA, where="kind = numeric", examples=[DATA[1], other], fewshot=2)
    assert run.err == "error: fewshot is 2, but there are only 1 examples\n"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("kind = numeral", "no record matches `where`: 'kind' is numeric, open"),
        ("knd = numeric", "data.jsonl:1: the record has no field 'knd'; it has q, a, kind, level"),
        ("q > 3", "data.jsonl:1: the field 'q' is '1?', which is no number"),
        ("level > 3", "data.jsonl:2: the field 'level' is none, which is no number"),
    ],
)
def test_filters_that_do_not_fit(native: Native, where: str, message: str) -> None:
    """A filter that matches nothing, or compares what has no order, is an error and no empty run."""
    run = native(DATA, where=where)
    assert run.err.startswith(f"error: {message}")
    assert run.status == 2


def test_a_list_is_not_compared(native: Native) -> None:
    """A field that holds a list equals no value, so comparing it is a mistake."""
    run = native([{"q": "x", "a": "1", "tags": ["a"]}], where="tags = a")
    assert run.err == "error: data.jsonl:1: the field 'tags' is a list or an object, which compares with no value\n"
