"""Reasoning between tags: where it begins and ends in a text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.model_reply.reasoning_tags import ReasoningSplitter, split_reasoning

PIECES = (
    *("<think>", "</think>", "<THINK>", "</Think>", "<think time='3'>", "</think >", "<think/>", "`<think>`"),
    *(
        "`</think>`",
        '"</think>"',
        "(<think>)",
        "<thi",
        "nk>",
        "<",
        ">",
        "</",
        "`",
        '"',
        "\n",
        " ",
        "7",
        "a b",
        "It is 7.",
    ),
)

TEXTS = [
    # text, cut off, answer, finished
    ("It is 7.", False, "It is 7.", True),
    ("It is 7.", True, "It is 7.", True),
    ("<think>a</think>7", False, "7", True),
    ("\n<think>\na\n</think>\n\n7", False, "7", True),
    ("a</think>7", False, "7", True),
    ("a</think>7", True, "7", True),
    ("<THINK>a</Think>7", False, "7", True),
    ("<think time=3>a</think >7", False, "7", True),
    ("<think>a</think>", False, "", True),
    # several
    ("<think>a</think><think>b</think>7", False, "7", True),
    ("<think>a</think>7<think>b</think>8", False, "7\n8", True),
    ("<think>a</think>\n</think>\n7", False, "7", True),
    ("It is 7.\n<think>a</think>\nDone.", False, "It is 7.\nDone.", True),
    ("It is 7. <think>a</think>", False, "It is 7. ", True),
    # in each other
    ("<think>a<think>b</think>c</think>7", False, "7", True),
    ("<think>a<think>b</think>c", True, "", False),
    # without an end
    ("<think>a", False, "", False),
    ("<think>a", True, "", False),
    ("<think>a</think><think>b", True, "", False),
    ("Sure.\n<think>a", False, "Sure.", False),
    ("So: <think>a", True, "So:", False),
    # spoken of
    ("<think>a</think>7 (I closed my </think> tag)", False, "7 (I closed my </think> tag)", True),
    ("<think>a</think>7, after a <think> tag", False, "7, after a <think> tag", True),
    ("<think>no `</think>` yet: b</think>7", False, "7", True),
    ("<think>I wrote <think> once</think>7", False, "7", True),
    ("I wrote <think> myself</think>7", False, "7", True),
    ("The tag `<think>` begins it. 7", False, "The tag `<think>` begins it. 7", True),
    ('so "7"</think>"7"', False, '"7"', True),
    # other tags
    ("<thinking>a</thinking>7", False, "<thinking>a</thinking>7", True),
    ("a < b <thi", False, "a < b <thi", True),
]


@pytest.mark.parametrize(("text", "cut", "answer", "finished"), TEXTS)
def test_texts(text: str, cut: bool, answer: str, finished: bool) -> None:
    """The answer is what stands outside the reasoning, and reasoning without an end is unfinished."""
    found = split_reasoning(text, cut)
    assert (found.answer, found.is_finished) == (answer, finished)


@settings(deadline=None, max_examples=500)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12),
    cuts=st.lists(st.integers(0, 200), max_size=10),
    cut=st.booleans(),
    tags=st.sampled_from([("<think>", "</think>"), ("[think]", "[/think]"), ("***", "***"), ("nk>", "a")]),
)
def test_random_splits(pieces: list[str], cuts: list[int], cut: bool, tags: tuple[str, str]) -> None:
    """However a text is split into pieces, answer, reasoning and end are those of the whole text."""
    text = "".join(pieces)
    places = [0, *sorted(place % (len(text) + 1) for place in cuts), len(text)]
    splitter = ReasoningSplitter(tags)
    answer = "".join(splitter.feed(text[a:b]) for a, b in itertools.pairwise(places)) + splitter.finish(cut)
    whole = split_reasoning(text, cut, tags)
    assert ("\n".join(splitter.reasoning), answer, splitter.is_finished) == whole


@settings(deadline=None, max_examples=200)
@given(st.text("<>/think `\n7", max_size=60))
def test_letter_by_letter(text: str) -> None:
    """A stream of single characters gives the same as the whole text."""
    splitter = ReasoningSplitter()
    answer = "".join(map(splitter.feed, text)) + splitter.finish()
    assert answer == split_reasoning(text).answer
