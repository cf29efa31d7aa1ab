"""Numbers read from text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalmake.harnesses.native.answers.number import are_equal, find_number, read_target
from tests.harnesses.native.harness_bench import Native


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("The answer is 42.", 42),
        ("#### 1,234", 1234),
        ("1,234,567.5 people", Fraction("1234567.5")),
        ("-5", -5),
        ("−5 degrees", -5),
        ("x=-4", -4),
        ("10-4=6", 6),
        ("$1,000", 1000),
        ("-$5", -5),
        ("$-5", -5),
        ("$ 7", 7),
        ("€3.50!", Fraction("3.5")),
        ("50%", 50),
        (r"50\%", 50),
        ("3/4", Fraction(3, 4)),
        ("2 1/2 hours", Fraction(5, 2)),
        ("-1/2", Fraction(-1, 2)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"\boxed{\dfrac{1}{8}}", Fraction(1, 8)),
        (r"\boxed{42}", 42),
        ("1/0", 0),
        ("12/05/2020", 2020),
        ("1e5", 100000),
        ("1.5E-3", Fraction("0.0015")),
        ("6.02 × 10^23", Fraction("6.02e23")),
        (r"3 \times 10^{-2}", Fraction("0.03")),
        (".5", Fraction(1, 2)),
        ("it is...5", 5),
        ("**42**", 42),
        ("_42_", 42),
        ("5km", 5),
        ("on the 3rd", 3),
        ("7 of H2O", 7),
        ("line one: 3\nline two: 8", 8),
    ],
)
def test_the_last_number_is_read(text: str, value: Fraction) -> None:
    """Every usual way to write a number is read, and the last of several counts."""
    found = find_number(text)
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize("text", ["", "none", "H2O", "v", "9" * 5000, "1, 2, 3", "3-4"])
def test_no_number_is_none(text: str) -> None:
    """A text without a number, or with an absurd one, has none."""
    assert find_number(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.333333333", "1/3", True),
        ("0.3333", "1/3", False),
        ("1000000", "1000001", False),
        ("1000000.0", "1000000", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("50%", "0.5%", False),
        ("5%", "0.5", False),
        ("0", "0.0000001", False),
        ("-2", "2", False),
        ("300K", "300", True),
        ("300K", "300,000", True),
        ("300K", "300M", False),
        ("$300K", "300", False),
        ("5!", "120", True),
        ("5!", "5", True),
        ("5!", "60", False),
        ("1.500 euros", "1500", True),
        ("1.500 euros", "1.5", False),
        ("Der Berg ist 8.849 m hoch.", "8849", True),
        ("Der Mount Everest ist **8.849 Meter** hoch.", "8849", True),
        ("El monte Everest mide **8.849 metros**.", "8849", True),
        ("Das Ergebnis ist 3.142.", "3.142", True),
        ("The mountain is 8.849 km high.", "8849", False),
    ],
)
def test_equality(one: str, other: str, same: bool) -> None:
    """Whole numbers agree exactly, others to six digits; a percent sign on one side is bridged.

    What can be read in two ways, as a letter that is a scale or a unit, equals either.
    """
    left, right = find_number(one), find_number(other)
    assert left is not None
    assert right is not None
    assert are_equal(left, right) is same
    assert are_equal(right, left) is same


@given(st.integers(-(10**30), 10**30), st.sampled_from(["{}", "{:,}", "= {}.", "it is {} km"]))
def test_any_integer_is_read_back(number: int, form: str) -> None:
    """An integer is read exactly, with commas or without, whatever stands around it."""
    found = find_number(form.format(number))
    assert found is not None
    assert found.value == number


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["{!r}", "{:.15e}"]))
def test_any_float_is_read_back(number: float, form: str) -> None:
    """A float's usual notations mean the same number."""
    text = form.format(number)
    found = find_number(text)
    assert found is not None
    assert found.value == Fraction(text)


@example("The answer is \ue105")
@example(";<0>")
@example("so <b 7>")
@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """Reading never fails."""
    found = find_number(text)
    assert found is None or found.text


@pytest.mark.parametrize(
    "target",
    [
        *("3 or 5", "3-5", "12/05/2020", "3:4", "(1,2)", "5 + 3 = 8", r"2\pi", "none", "±5", ""),
        *(
            "1e99999",
            "10^99999",
            "10⁹⁹⁹⁹⁹",
            "0x1F",
            "1.2.3",
            "5!",
            "5 red and 7 green",
            "330 m (1,083 ft)",
            "<5",
            "x > 5",
            "≥ 5",
            r"x \le 5",
        ),
    ],
)
def test_an_ambiguous_target_is_refused(target: str) -> None:
    """A target that holds no plain number, or several, could make no reply right, or a wrong one."""
    with pytest.raises(ValueError, match=r"holds (no plain number|several numbers)"):
        read_target(target)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        *(("5 km", 5), ("5kg", 5), ("5 min", 5), ("3rd", 3), ("5x", 5), ("5.", 5), ("1e5", 100000), ("2^10", 1024)),
        *(
            ("<answer>5</answer>", 5),
            ("<b>5</b>", 5),
            ("#### 5", 5),
            ("x = 5", 5),
            ("He ate 5! That is 3 more.\n#### 8", 8),
            ("42!", 42),
            ("$2B", 2 * 10**9),
            ("300K", 300_000),
            ("5T", 5 * 10**12),
            ("1.500 euros", 1500),
        ),
    ],
)
def test_a_target_with_a_unit_or_an_announcement_is_read(target: str, value: int) -> None:
    """What stands around a single number does no harm, unless it changes the number."""
    assert read_target(target).value == value


@pytest.mark.parametrize("target", ["x > 42", "less than 42", "3i", "2n+1", "log 10", "sin(30)", "0.1.2", "3, 4"])
def test_what_is_no_answer_is_no_target(target: str) -> None:
    """Bounds and parts of expressions are refused as targets, as they are no answers of replies."""
    with pytest.raises(ValueError, match="holds"):
        read_target(target)


def test_the_record_of_an_ambiguous_target_is_named(native: Native) -> None:
    """The message has file and line of the record, and nothing is asked."""
    run = native([{"q": "1", "a": "70 000"}, {"q": "2", "a": "3 or 5"}], scorer="number")
    message = "the target '3 or 5' holds several numbers (3 and 5); write one"
    assert (run.status, run.err) == (2, f"error: data.jsonl:2: {message}\n")
