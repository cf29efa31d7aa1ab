"""Records that differ: scorers of their own, conversations, empty prompts; and questions that repeat."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harnesses.native.harness_bench import Body, Native, question

MIXED = [
    {"q": "6*7?", "a": "42.0", "s": "number"},
    {"q": "Which?", "a": "B", "s": "choice", "o": ["red", "green"]},
    {"q": "Say yes.", "a": "yes", "s": "exact"},
]
REPLIES = {"6*7?": "It is 42", "Which?\nA) red\nB) green": "(B)", "Say yes.": "it is yes"}


def test_each_record_has_its_scorer(native: Native) -> None:
    """`scorer = "{field}"` scores each record by the scorer that it names; only `choice` needs options."""
    native.server.answer = lambda body: REPLIES[question(body)]
    run = native(MIXED, scorer="{s}", choices="{o}")
    assert run.err == ""
    assert [sample["scores"] for sample in run.samples] == [{"accuracy": 1.0}, {"accuracy": 1.0}, {"accuracy": 0.0}]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"s": "numeric"}, "data.jsonl:2: there is no scorer 'numeric'; there are exact, number, math, choice"),
        ({"s": None}, "data.jsonl:2: there is no scorer ''; there are exact"),
        ({"s": "regex"}, "data.jsonl:2: the scorer 'regex' needs a pattern"),
        ({"s": "choice"}, "data.jsonl:2: the record has no field 'o'; it has q, a, s"),
        ({"s": "judge"}, "the scorer 'judge' needs EVALMAKE_JUDGE_URL"),
        ({"s": "f1"}, "data.jsonl:2: the scorer 'f1' reports f1, and that of other records accuracy"),
    ],
)
def test_a_record_that_its_scorer_cannot_score(native: Native, record: Body, message: str) -> None:
    """A record's scorer that does not exist, or lacks something, is an error with file and line."""
    run = native([MIXED[0], {"q": "x", "a": "1", **record}], scorer="{s}", choices="{o}")
    assert run.status == 2
    assert run.err.startswith(f"error: {message}")
    assert native.server.bodies == []


@pytest.mark.parametrize(
    ("task", "record", "message"),
    [
        ({}, {"q": [{"role": "user", "content": "x"}]}, "the field 'q' is a list, and the prompt is one text"),
        ({"prompt": "Chat: {q}"}, {"q": [{"role": "user", "content": "x"}]}, "the field 'q' is a list, and the prompt"),
        ({"prompt": "See {q}"}, {"q": [{"type": "image_url", "image_url": {}}]}, "the field 'q' is a list"),
        ({}, {"q": {"text": "x"}}, "the field 'q' is an object, and the prompt is one text"),
        ({"system": "{x}"}, {"x": ["a"]}, "the field 'x' is a list, and the system is one text"),
        ({}, {"q": None}, "the prompt is empty"),
        ({}, {"q": " \n"}, "the prompt is empty"),
        ({}, {"a": {"text": "x"}}, "the target is an object, and a reply is a text"),
        ({}, {"a": [["x"]]}, "the target is a list in a list, and a reply is a text"),
        ({}, {"a": None}, "the target is empty"),
        (
            {"scorer": "contains", "normalize": ["case", "punctuation"]},
            {"a": " . "},
            "`normalize` leaves nothing of the target ' . '",
        ),
        (
            {"scorer": "exact", "normalize": ["articles"]},
            {"a": ["B", "A"]},
            "`normalize` leaves nothing of the target 'A'",
        ),
        ({"scorer": "regex", "pattern": "(.)", "normalize": ["punctuation"]}, {"a": "-"}, "`normalize` leaves nothing"),
        ({"scorer": "contains"}, {"a": "\u200b"}, "`normalize` leaves nothing of the target"),
        ({"choices": "{o}"}, {"o": ["a", ""]}, "choices: option B is empty"),
    ],
)
def test_values_that_are_no_text(native: Native, task: Body, record: Body, message: str) -> None:
    """A conversation is never sent as JSON in one text, and nothing empty is asked or expected."""
    run = native([{"q": "x", "a": "1", **record}], **task)
    assert run.err.startswith(f"error: data.jsonl:1: {message}")
    assert native.server.bodies == []


@pytest.mark.parametrize("options", [["true", "false"], ["True", "False"], [True, False], ["TRUE ", "FALSE"]])
@pytest.mark.parametrize("target", [True, False])
def test_booleans_as_options(native: Native, options: list[Any], target: bool) -> None:
    """A target that is true or false is the option of that name, however it is written."""
    native.server.answer = lambda body: "A"
    run = native([{"q": "Is it?", "a": target, "o": options}], choices="{o}")
    assert run.headline["value"] == float(target)


LEAKS: list[tuple[Body, Body, Body]] = [
    ({}, {"id": 1, "q": "6*7?", "a": "42"}, {"q": "6*7?", "a": "42"}),
    ({}, {"q": "6*7?", "a": "42", "split": "test"}, {"q": "6*7?", "a": "42", "split": "dev"}),
    ({}, {"q": "6*7?", "a": "42"}, {"q": " 6 * 7?\n", "a": "forty-two"}),
    (
        {"prompt": "No. {question_id}: {q}"},
        {"question_id": 7, "q": "Q?", "a": "1"},
        {"question_id": 3, "q": "q?", "a": "1"},
    ),
    (
        {"choices": "{o}"},
        {"q": "Which?", "a": "red", "o": ["red", "blue"]},
        {"q": "Which?", "a": "red", "o": ["blue", "red"]},
    ),
]


@pytest.mark.parametrize(("task", "item", "example"), LEAKS)
def test_the_same_question_is_no_example(native: Native, task: Body, item: Body, example: Body) -> None:
    """A worked example that is the question but for its number, split or spaces is not shown before it."""
    other = {**example, "q": "Another one?"}
    run = native([item], examples=[example, other], fewshot=1, **task)
    assert run.err == ""
    shown = native.server.bodies[0]["messages"]
    assert len(shown) == 3
    assert "Another one?" in shown[0]["content"]


def test_other_questions_are_examples(native: Native) -> None:
    """The same words with other options, or other numbers, are another question."""
    item = {"q": "Which?", "a": "red", "o": ["red", "blue"]}
    native([item], examples=[{"q": "Which?", "a": "up", "o": ["up", "down"]}], choices="{o}")
    assert len(native.server.bodies[0]["messages"]) == 3


def test_a_rubric_has_fields(native: Native) -> None:
    """The judge gets the rubric with the record's own fields."""
    native.env |= {"EVALMAKE_JUDGE_URL": native.server.url, "EVALMAKE_JUDGE_NAME": "judge"}
    native.server.answer = lambda body: "GRADE: CORRECT" if body["model"] == "judge" else "x"
    native([{"q": "q", "a": "1", "r": "Says Paris."}], scorer="judge", rubric="Be strict. {r}")
    asked = question(native.server.bodies[1])
    assert "Be strict. Says Paris." in asked
    assert "{r}" not in asked


def test_a_rubric_without_its_field(native: Native) -> None:
    """A field of the rubric that a record lacks is an error with file and line."""
    native.env |= {"EVALMAKE_JUDGE_URL": native.server.url, "EVALMAKE_JUDGE_NAME": "judge"}
    run = native(scorer="judge", rubric="{rubrik}")
    assert run.err == "error: data.jsonl:1: the record has no field 'rubrik'; it has q, a\n"
