"""Multiple choice: the right option, and the chosen one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalmake.harnesses.native.answers.letter import find_chosen_option
from evalmake.harnesses.native.right_options import LETTERS, find_right_option, find_right_options
from tests.harnesses.native.harness_bench import Native

CITIES = ("London", "Paris", "New York", "York")


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("B", 1),
        ("b", 1),
        ("(B)", 1),
        ("B.", 1),
        ("**B**", 1),
        ("B) Paris", 1),
        ("B: Paris", 1),
        ("B Paris", 1),
        ("Answer: B", 1),
        ("Answer: (b)", 1),
        ("answer is **B**.", 1),
        ("The answer is B because it is.", 1),
        ("The correct answer is (B) Paris.", 1),
        ("The answer is:\n\nB", 1),
        (r"The final answer is $\boxed{B}$", 1),
        (r"\boxed{\text{B}}", 1),
        ("Option B", 1),
        ("A is wrong, C is wrong. Answer: B", 1),
        ("Answer: A? No. Final answer: B", 1),
        ("Paris", 1),
        ("paris.", 1),
        ("The answer is Paris.", 1),
        ("The answer is New York.", 2),
        ("It must be Paris, I think", 1),
        ("I thought for a while.\nB", 1),
        ("First (A), no: (B)", 1),
        ("So it is B", 1),
        ("The answer is A.", 0),
        ("A dog cannot tell", None),
        ("The answer is a mystery", None),
        ("E", None),
        ("", None),
        ("I do not know", None),
        ("London or Paris", None),
        ("B or C", None),
    ],
)
def test_the_chosen_option_is_found(reply: str, index: int | None) -> None:
    """Letters and texts are found in whatever a model wraps around them, and no more than one."""
    assert find_chosen_option(reply, CITIES) == index


@pytest.mark.parametrize(
    ("target", "raw", "index"),
    [
        ("Paris", CITIES, 1),
        (" Paris ", CITIES, 1),
        ("b", CITIES, 1),
        ("C", CITIES, 2),
        (3, CITIES, 3),
        ("3", CITIES, 3),
        ("2", ("1", "2", "3"), 1),
        (2, (1, 2, 3), 1),
        (4, ("3", "4"), 1),
        ("A", ("A", "AB"), 0),
        ("O", ("A", "B", "AB", "O"), 3),
        (1, ("B", "A"), 1),
        ("0", ("B", "A"), 0),
        ("E", CITIES, None),
        (4, CITIES, None),
        (-1, CITIES, None),
        (None, CITIES, None),
        (True, CITIES, None),
    ],
)
def test_the_right_option_is_resolved(target: object, raw: Any, index: int | None) -> None:
    """A target is an option's text before it is a letter or an index."""
    assert find_right_option(target, raw, [str(one) for one in raw]) == index


def test_a_number_that_could_be_either_is_refused() -> None:
    """A number that is one option's index and another's text is an error, not a guess."""
    with pytest.raises(ValueError, match="and also the text of option 3"):
        find_right_option(1, ["2", "5", "0", "1"], ["2", "5", "0", "1"])


@pytest.mark.parametrize("target", ["A", " A"])
def test_a_letter_that_could_be_either_is_refused(target: str) -> None:
    """A target that is one option's letter and another's text is an error that says how to write it."""
    with pytest.raises(ValueError, match=r"letter of option 0 \(from 0\) and also the text of option 1: write 0 or 1"):
        find_right_option(target, ["B", "A"], ["B", "A"])


@given(
    st.integers(0, 9),
    st.sampled_from(["{}", "({})", "Answer: {}", "{}.", "**{}**", "the answer is ({})."]),
)
def test_every_letter_of_ten_is_found(index: int, form: str) -> None:
    """The usual forms work for every letter, also for A and I, which are words."""
    options = [f"option number {number}" for number in range(10)]
    assert find_chosen_option(form.format(LETTERS[index]), options) == index


@example("The answer is \ue102", ["", ""])
@given(st.text(), st.lists(st.text(), min_size=2, max_size=5))
def test_no_reply_breaks_the_search(reply: str, options: list[str]) -> None:
    """The result is always an index of an option, or none."""
    assert find_chosen_option(reply, options) in {None, *range(len(options))}


def test_several_right_options() -> None:
    """A target that is a list names several options, each by text, letter or index; an unknown one is an error."""
    assert find_right_options(["Paris", "c", 3], CITIES, CITIES) == {1, 2, 3}
    assert find_right_options("Paris", CITIES, CITIES) == {1}
    with pytest.raises(ValueError, match="the target 'E' is none of the 4 options"):
        find_right_options(["A", "E"], CITIES, CITIES)
    with pytest.raises(ValueError, match="the target is empty"):
        find_right_options([], CITIES, CITIES)


def test_an_ambiguous_target_names_its_record(native: Native) -> None:
    """The error names the line of the record, before a model is asked."""
    run = native([{"q": "?", "o": ["A", "B"], "a": "A"}, {"q": "??", "o": ["B", "A"], "a": "A"}], choices="{o}")
    assert run.status == 2
    assert "data.jsonl:2: the target 'A' is the letter of option 0" in run.err


@pytest.mark.parametrize(
    ("scorer", "reply", "score"),
    [("choice", "B", 1), ("choice", "C", 1), ("choice", "B and C", 0), ("choices", "B and C", 1), ("choices", "B", 0)],
)
def test_any_or_all_of_several_options(native: Native, scorer: str, reply: str, score: int) -> None:
    """Of several right options, `choice` accepts any one, and `choices` demands all."""
    native.server.answer = lambda body: reply
    run = native([{"q": "?", "o": CITIES, "a": ["B", "C"]}], scorer=scorer, choices="{o}")
    assert run.samples[0]["scores"] == {"accuracy": score}


@pytest.mark.parametrize(
    ("question", "right", "score"),
    [("Which is in Britain?", "C", 0), ("Which is NOT in Britain?", "C", 1), ("Which is NOT in Britain?", "A", 0)],
)
def test_what_a_reply_denies_answers_a_question_for_an_exception(
    native: Native, question: str, right: str, score: int
) -> None:
    """The reply "A, B and D are true, C is false" is C where the question asks for it, and no answer elsewhere."""
    native.server.answer = lambda body: "A, B and D are true, C is false."
    run = native([{"q": question, "o": CITIES, "a": right}], choices="{o}")
    assert run.samples[0]["scores"] == {"accuracy": score}
