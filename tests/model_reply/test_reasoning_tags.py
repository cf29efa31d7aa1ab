"""Reasoning between tags: where it begins and ends in a text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.model_reply.reasoning_tags import KNOWN_TAGS, ReasoningSplitter, Tags, split_reasoning

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
    *("[THINK]", "[/THINK]", "[", "<seed:think>", "</seed:think>", " and ", "...", ".", "***", " tags"),
    *(
        "<|START_THINKING|>",
        "<|END_THINKING|>",
        "<|START_RESPONSE|>",
        "<|END_RESPONSE|>",
        "<|end",
        "|>",
        "assistantfinal",
    ),
    *("<thinking>", "</thinking>", "<|channel>thought", "<channel|>"),
    *("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|end|>", "<|start|>assistant", "<|return|>"),
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
    ("The answer is 7. No <think> or </think> tags.", False, "The answer is 7. No <think> or </think> tags.", True),
    ("It is 7 (without <think></think>).", False, "It is 7 (without <think></think>).", True),
    ("`<think>...</think>` is empty. 7", False, "`<think>...</think>` is empty. 7", True),
    (
        "The <think> tag begins, the </think> tag ends it: 7",
        True,
        "The <think> tag begins, the </think> tag ends it: 7",
        True,
    ),
    ("<think> and </think> are tags. 7", False, "<think> and </think> are tags. 7", True),
    ("I put <think> und </think> Tags. b\n</think>7", False, "7", True),
    ("<think>a</think>7 with <think> and </think>.", False, "7 with <think> and </think>.", True),
    ("標籤`</think>`表示結束。7", False, "標籤`</think>`表示結束。7", True),
    ("I closed it with `</think>`. 7", False, "I closed it with `</think>`. 7", True),
    # of other models
    ("[THINK]a[/THINK]7", False, "7", True),
    ("[THINK]a", True, "", False),
    ("<seed:think>a</seed:think>7", False, "7", True),
    ("<seed:think>a </think> b</seed:think>7", False, "7", True),
    ("◁think▷a◁/think▷7", False, "7", True),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>7<|END_RESPONSE|>", False, "7", True),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>7", True, "7", True),
    ("<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>7<|end_of_solution|>", False, "7", True),
    (
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>7<|return|>",
        False,
        "7",
        True,
    ),
    ("<|channel|>analysis<|message|>a", True, "", False),
    (
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>c<|end|><|start|>assistant<|channel|>final<|message|>7 an",
        True,
        "7 an",
        True,
    ),
    ("analysisIt is 7.assistantfinal7", False, "7", True),
    ("<|channel|>final<|message|>7<|return|>", False, "7", True),
    ("It is 7<|end|>", False, "It is 7<|end|>", True),
    ("<thinking>a</thinking>7", False, "7", True),
    ("<thinking>a", True, "", False),
    ("<reasoning>a <think> b</reasoning><answer>7</answer>", False, "<answer>7</answer>", True),
    ("<thought>a</thought>7", False, "7", True),
    ("<scratchpad>\na", True, "", False),
    ("The <reasoning> and </reasoning> tags: 7", False, "The <reasoning> and </reasoning> tags: 7", True),
    ("<|channel>thought\na<channel|>7", False, "7", True),
    ("<|channel>thought\na", True, "", False),
    # other tags
    ("<plan>a</plan>7", False, "<plan>a</plan>7", True),
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
    known=st.sampled_from([KNOWN_TAGS, (("[think]", "[/think]"),), (("***", "***"),), (("nk>", "a"),)]),
)
def test_random_splits(pieces: list[str], cuts: list[int], cut: bool, known: tuple[Tags, ...]) -> None:
    """However a text is split into pieces, answer, reasoning and end are those of the whole text."""
    text = "".join(pieces)
    places = [0, *sorted(place % (len(text) + 1) for place in cuts), len(text)]
    splitter = ReasoningSplitter(known)
    answer = "".join(splitter.feed(text[a:b]) for a, b in itertools.pairwise(places)) + splitter.finish(cut)
    whole = split_reasoning(text, cut, known)
    assert ("\n".join(splitter.reasoning), answer, splitter.is_finished) == whole


@settings(deadline=None, max_examples=200)
@given(st.text("<>/think `\n7", max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_letter_by_letter(text: str) -> None:
    """A stream of single characters gives the same as the whole text."""
    splitter = ReasoningSplitter()
    answer = "".join(map(splitter.feed, text)) + splitter.finish()
    assert answer == split_reasoning(text).answer
