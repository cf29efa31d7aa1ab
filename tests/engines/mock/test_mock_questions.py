"""What is asked, and what is right, from the prompt alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.engines.mock.arithmetic import evaluate_last_expression
from evalmake.engines.mock.questions import Question, parse_question


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12 + 7 * 3", 33),
        ("What is 17 plus 25?", 42),
        ("What is 17 minus 25?", -8),
        ("Six times? No: 6 times 7.", 42),
        ("6 multiplied by 7", 42),
        ("10 divided by 4", 2.5),
        ("9 / 3 / 3", 1),
        ("10 / 3 * 3", 10),
        ("10 / 3", 3.333333),
        ("the sum of 3, 4 and 5", 12),
        ("the difference between 9 and 4", 5),
        ("the product of 6 and 7", 42),
        ("the quotient of 8 and 2", 4),
        ("3 x 4 × 5 ÷ 2 − 1", 29),
        (r"$3 \times 4$", 12),
        ("(2+3)*-4 - (1)", -21),
        ("12 -7", 5),
        ("2 minus -5", 7),
        ("1,000 + 2,500.5", 3500.5),
        ("0.1+0.2", 0.3),
        ("$5 + $3", 8),
        ("3 + 4 =", 7),
        ("Q: 1 + 1\nA: 2\n\nQ: 5 + 6\nA:", 11),
        ("1) 12 + 7 (2 points)", 19),
        ("5. 3 + 4.", 7),
        ("- 3 + 4", 7),
        ("What is 12-7? Answer in 1-2 words.", 5),
        ("((3 + 4)", 7),
        ("3 + 4 *", 7),
        ("nothing to compute", None),
        ("7", None),
        ("1 / 0", None),
        ("3\n+ 4", None),
        ("", None),
    ],
)
def test_the_last_expression_of_a_text_is_computed(text: str, value: float | None) -> None:
    """The table of texts and the values of their last expressions."""
    assert evaluate_last_expression(text) == value


_SUMS = st.recursive(
    st.integers(0, 999).map(lambda number: (str(number), Fraction(number))),
    lambda parts: st.tuples(parts, st.sampled_from("+-*"), parts).map(
        lambda it: (
            f"({it[0][0]} {it[1]} {it[2][0]})",
            {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__}[it[1]](it[0][1], it[2][1]),
        )
    ),
    max_leaves=12,
)


@given(_SUMS, _SUMS)
def test_bracketed_sums_have_the_value_of_exact_arithmetic(
    left: tuple[str, Fraction], right: tuple[str, Fraction]
) -> None:
    """Any nesting of + - * is computed exactly."""
    assert evaluate_last_expression(f"What is {left[0]} + {right[0]}?") == left[1] + right[1]


@given(st.integers(0, 99), st.integers(1, 99), st.integers(1, 99))
def test_products_bind_closer_than_sums(first: int, second: int, third: int) -> None:
    """Words and signs have the same precedence, from left to right."""
    assert evaluate_last_expression(f"{first} + {second} * {third}") == first + second * third
    assert evaluate_last_expression(f"{first} minus {second} minus {third}") == first - second - third


@given(st.text(alphabet="0123456789+-*/(). ,x\n", max_size=80))
def test_no_text_breaks_the_solver(text: str) -> None:
    """Signs in any order give a number or nothing."""
    assert isinstance(evaluate_last_expression(text), int | float | None)


@pytest.mark.parametrize("option", ["{}) {}", "{}. {}", "({}) {}", "  {}) {}"])
@given(st.lists(st.integers(0, 500), min_size=2, max_size=8, unique=True), st.data())
def test_the_letter_of_the_computed_value_is_right(option: str, values: list[int], data: st.DataObject) -> None:
    """In every format of options the letter beside the value is the answer."""
    place = data.draw(st.integers(0, len(values) - 1))
    lines = [option.format("ABCDEFGH"[index], value) for index, value in enumerate(values)]
    asked = "\n".join([f"What is {values[place]} + 0?", *lines, "Answer:"])
    assert parse_question(asked).right == "ABCDEFGH"[place]


def test_only_the_last_of_several_choice_questions_counts() -> None:
    """Worked examples before the question do not answer it."""
    shot = "What is 3 + 4?\nA) 6\nB) 7\nAnswer: B\n\n"
    question = parse_question(shot + "What is 5 + 6?\nA. 11\nB. 12\nC. 13\nAnswer:")
    assert question == Question("A", ("A", "B", "C"))


def test_a_choice_without_a_computable_answer_has_options_but_no_right_one() -> None:
    """Nothing is right where nothing can be computed, also if an option looks like a sum."""
    assert parse_question("Which is a colour?\nA) 3 + 4\nB) red") == Question(None, ("A", "B"))


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        ("What is 1 + 1? End with 'ANSWER: $LETTER'.", "ANSWER: {}"),
        ("What is 1 + 1? Put it within \\boxed{}.", "\\boxed{{{}}}"),
        ("Q: 1 + 2\n#### 3\nQ: 1 + 1", "#### {}"),
        ("What is 1 + 1?\nANSWER:", "{}"),
        ("What is 1 + 1?", "{}"),
    ],
)
def test_an_answer_is_marked_as_the_prompt_shows(prompt: str, form: str) -> None:
    """The marks that scorers look for are used where the prompt shows them."""
    assert parse_question(prompt) == Question("2", (), form)


_GRADED = "Expected answer: {}\nAnswer given: {}\n{}"


@pytest.mark.parametrize(
    ("expected", "given_", "right"),
    [
        ("42", "It is 42.", True),
        ("42", "I think\n\nit is 42", True),
        ("42", "142", False),
        ("42", "42.5", False),
        ("42", "4.42", False),
        ("Paris", "the city of PARIS, of course", True),
        ("Paris", "parish", False),
        ("a+b", "it is a+b", True),
        ("", "anything", False),
    ],
)
def test_a_judge_grades_by_whether_the_expected_answer_is_contained(expected: str, given_: str, right: bool) -> None:
    """Both ways to ask for a grade get the grade in their form."""
    scored = parse_question(_GRADED.format(expected, given_, "Reply with only a number from 0 to 1."))
    graded = parse_question(_GRADED.format(expected, given_, "End with GRADE: and your verdict."))
    assert (scored.right, scored.form) == ("1" if right else "0", "{}")
    assert (graded.right, graded.form) == ("CORRECT" if right else "INCORRECT", "GRADE: {}")


def test_a_judge_without_the_two_lines_knows_nothing() -> None:
    """Nothing given, nothing right."""
    assert parse_question("Judge this. GRADE: ?").right is None
