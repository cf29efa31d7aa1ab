"""`weight` and `tags`: what a record counts, and the groups that it belongs to."""

from __future__ import annotations

import pytest

from tests.harnesses.native.harness_bench import Body, Native, question

DATA: list[Body] = [
    {"q": "6*7?", "a": "42", "w": 3, "t": ["sums", "easy"]},
    {"q": "6*8?", "a": "48", "w": "1.5", "t": "sums"},
    {"q": "6*9?", "a": "54", "w": 1, "t": None},
]


def test_records_count_by_their_weight(native: Native) -> None:
    """The mean is weighted, and samples have weights and tags where they are not the common ones."""
    run = native(DATA, weight="{w}", tags=["{t}", "{a}"])
    assert run.err == ""
    assert run.headline["value"] == pytest.approx(3 / 5.5)
    assert [sample.get("weight") for sample in run.samples] == [3.0, 1.5, None]
    assert [sample["tags"] for sample in run.samples] == [["sums", "easy", "42"], ["sums", "48"], ["54"]]


def test_a_sample_without_tags_has_no_such_field(native: Native) -> None:
    """Nothing is written for records without weight and tags."""
    run = native(DATA[2:], tags="{t}")
    assert {"weight", "tags"}.isdisjoint(run.samples[0])


@pytest.mark.parametrize(
    ("task", "record", "message"),
    [
        ({"weight": "{w}"}, {"w": 0}, "the weight is 0; it can be from 1e-09 to 1e+09"),
        ({"weight": "{w}"}, {"w": -1}, "the weight is -1; it can be from"),
        ({"weight": "{w}"}, {"w": "heavy"}, "the weight is 'heavy', not a number"),
        ({"weight": "{w}"}, {"w": "nan"}, "the weight is nan; it can be"),
        ({"weight": "{w}"}, {"w": 10**400}, "the weight is '1000000000000000000000000000000000000000', not a number"),
        ({"weight": "{w}"}, {"w": True}, "the weight is 'true', not a number"),
        ({"weight": "{w}"}, {"w": None}, "the weight is '', not a number"),
        ({"weight": "{w}"}, {}, "the record has no field 'w'; it has q, a"),
        ({"weight": "2"}, {}, "no field of the record is in the weight '2'; the record has q, a"),
        ({"tags": "{t}"}, {}, "the record has no field 't'; it has q, a"),
        ({"tags": "q"}, {}, "no field of the record is in the tags 'q'; the record has q, a"),
        ({"tags": "{t}"}, {"t": {"a": 1}}, "a tag is an object, and a tag is a text"),
        ({"tags": "{t}"}, {"t": [["a"]]}, "a tag is a list, and a tag is a text"),
        ({"tags": "{t}"}, {"t": "x" * 101}, f"the tag '{'x' * 40}' is longer than 100 characters"),
        ({"tags": "{t}"}, {"t": "a\nb"}, "the tag 'a\\nb' is not printable"),
        ({"tags": "{t}"}, {"t": list(range(101))}, "there are 101 tags; a record can have 100"),
    ],
)
def test_weights_and_tags_that_are_none(native: Native, task: Body, record: Body, message: str) -> None:
    """What is no weight or tag is an error with file and line, and nothing is asked."""
    run = native([{"q": "6*7?", "a": "42", **record}], **task)
    assert run.err.startswith(f"error: data.jsonl:1: {message}")
    assert native.server.bodies == []


def test_examples_have_no_weight(native: Native) -> None:
    """Worked examples may lack the fields of `weight` and `tags`."""
    run = native(DATA[:1], weight="{w}", tags="{t}", examples=[{"q": "1+1?", "a": "2"}])
    assert run.err == ""
    assert question(native.server.bodies[0]) == "6*7?"
