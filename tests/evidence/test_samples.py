"""Leaves of samples: what they commit to, and what of a sample is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalmake.evidence.disclosure import Disclosure
from evalmake.evidence.samples import Redaction, read_leaves, read_redacted, root_of

ROWS = [
    {
        "id": f"item-{number}",
        "item": f"{number:016x}",
        "index": number,
        "input": {"q": f"the secret question {number}", "a": "B"},
        "request": {"messages": [{"role": "user", "content": f"the secret question {number}"}]},
        "reply": f"I say B {number}",
        "answer": "B",
        "target": "B",
        "scores": {"accuracy": 1.0},
        "judge": "the secret question quoted",
        "error": None,
        "note of the harness": "the secret question again",
    }
    for number in range(7)
]
SAMPLES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
REDACTION = Redaction(("prompt", "target"), b"k" * 32, "xxh128:00")


def change(number: int, **values: Any) -> bytes:
    """The samples with other values in one of them."""
    rows = [*ROWS]
    rows[number] = {**ROWS[number], **values}
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_texts_are_left_out() -> None:
    """Neither prompt nor target is in redacted samples, whatever the name of the field that holds or quotes it."""
    text = b"".join(leaf.to_line() for leaf in REDACTION.redact(SAMPLES)).decode()
    assert "secret" not in text
    assert '"B"' not in text.replace('"answer":"B"', "")
    assert "I say B 3" in text  # replies were not to be left out


def test_replies_are_left_out_with_their_answers() -> None:
    """With `reply`, the answer that was read in it is left out, too."""
    text = b"".join(leaf.to_line() for leaf in Redaction(("reply",), b"k", "a").redact(SAMPLES)).decode()
    assert "I say B" not in text
    assert '"answer"' not in text.partition('"shown"')[2].partition("}")[0]


def test_equal_short_texts_have_different_digests() -> None:
    """A target of one letter cannot be guessed by the digests of all letters, nor be found in another sample."""
    digests = [leaf.hidden["target"] for leaf in REDACTION.redact(SAMPLES)]
    assert len(set(digests)) == len(digests)


def test_redacted_samples_read_back() -> None:
    """What is written reads back with the same root."""
    leaves = REDACTION.redact(SAMPLES)
    assert root_of(read_redacted(b"".join(leaf.to_line() for leaf in leaves))) == root_of(leaves)


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: lines[:-1],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [lines[0].replace(b'"accuracy":1.0', b'"accuracy":0.0'), *lines[1:]],
        lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]],
        lambda lines: [*lines, b"{}"],
        lambda lines: [*lines, b"null"],
    ],
    ids=["dropped", "swapped", "changed", "respelled", "added", "no map"],
)
def test_harm_is_noticed(harm: Any) -> None:
    """A sample that is dropped, moved, changed, spelled differently or added gives another root or an error."""
    lines = [leaf.to_line().rstrip(b"\n") for leaf in REDACTION.redact(SAMPLES)]
    try:
        root = root_of(read_redacted(b"".join(line + b"\n" for line in harm(lines))))
    except ValueError:
        return
    assert root != root_of(REDACTION.redact(SAMPLES))


@pytest.mark.parametrize(("field", "value"), [("target", "A"), ("reply", "no"), ("scores", {}), ("extra", 1)])
def test_every_field_counts(field: str, value: object) -> None:
    """Each field of each sample changes the root, left out or not."""
    changed = change(3, **{field: value})
    assert root_of(read_leaves(changed)) != root_of(read_leaves(SAMPLES))
    assert root_of(REDACTION.redact(changed)) != root_of(REDACTION.redact(SAMPLES))


def test_lines_that_are_no_json_are_leaves() -> None:
    """A program's own line is committed to by its text, and left out whole."""
    data = b"not json\n[1]\n" + SAMPLES
    assert len(read_leaves(data)) == len(ROWS) + 2
    assert root_of(read_leaves(data)) != root_of(read_leaves(data.replace(b"not json", b"not JSON")))
    assert b"not json" not in b"".join(leaf.to_line() for leaf in REDACTION.redact(data))


def test_a_sample_is_disclosed_alone() -> None:
    """A disclosure proves its own sample, shows no other, and survives its file."""
    leaves = REDACTION.redact(SAMPLES)
    made = Disclosure.of("envelope", leaves, 3, ROWS[3], REDACTION.salts_of(3, ROWS[3]))
    read = Disclosure.from_json(json.loads(json.dumps(made.to_json())))
    assert read.root == root_of(leaves)
    assert read.find_changes() == []
    assert "question 3" in json.dumps(read.to_json())
    assert "question 4" not in json.dumps(read.to_json())


@pytest.mark.parametrize("field", sorted(ROWS[0]))
def test_a_changed_sample_is_not_proved(field: str) -> None:
    """Whatever field of a disclosed sample is changed or taken away is named."""
    leaves = REDACTION.redact(SAMPLES)
    salts = REDACTION.salts_of(3, ROWS[3])
    changed = Disclosure.of("envelope", leaves, 3, {**ROWS[3], field: "another"}, salts)
    lost = Disclosure.of("envelope", leaves, 3, {k: v for k, v in ROWS[3].items() if k != field}, salts)
    assert changed.find_changes() == lost.find_changes() == [field]


def test_another_place_is_not_proved() -> None:
    """The path of one sample leads nowhere from the place of another."""
    leaves = REDACTION.redact(SAMPLES)
    content = Disclosure.of("envelope", leaves, 3, ROWS[3], REDACTION.salts_of(3, ROWS[3])).to_json()
    assert Disclosure.from_json({**content, "index": 2}).root != root_of(leaves)
