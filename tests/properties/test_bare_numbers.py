"""Numbers that are a whole reply are read without rules, with the result of the rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalmake.harnesses.native.answers.number import (
    find_number,
    find_number_in_text,
    read_target,
    read_target_in_text,
)


@given(st.from_regex(r"[ \n\t]{0,2}-?[0-9]{1,16}(\.[0-9]{1,16})?[ \n\t.,%]{0,2}", fullmatch=True))
def test_a_bare_number(text: str) -> None:
    """Reply and target are the same number as by all rules."""
    assert find_number(text) == find_number_in_text(text)
    assert read_target(text) == read_target_in_text(text)
