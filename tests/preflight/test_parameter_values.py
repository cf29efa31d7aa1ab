"""Values of common request parameters that no server takes as they are meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("parameter", "message", "help"),
    [
        ('temperature = "0.5"', '`temperature` is a number from 0 up, and this is "0.5"', "without quotes"),
        ("temperature = -1", "`temperature` is a number from 0 up, and this is -1", "to send it all the same"),
        ("max_tokens = 0", "`max_tokens` is a whole number from 1 up, and this is 0", "to send it all the same"),
        ("max_tokens = 1.5", "`max_tokens` is a whole number from 1 up, and this is 1.5", "to send it all the same"),
        ("top_p = 95", "`top_p` is a number from 0 to 1, and this is 95", "to send it all the same"),
        ("top_k = true", "`top_k` is a whole number from 0 up, and this is true", "to send it all the same"),
    ],
)
def test_a_value_that_no_server_takes_is_an_error(
    plan_with: Callable[..., str], parameter: str, message: str, help: str
) -> None:
    """The message says what the parameter is and what was written, before anything runs."""
    said = plan_with(f"params = {{ {parameter} }}", status=2)
    assert f"error: `params`: {message} [bad-value]" in said
    assert help in said


@pytest.mark.parametrize("parameter", ["temperature = 0", "max_tokens = -1", "top_p = 1", "presence_penalty = -0.5"])
def test_values_of_the_api_are_sent(plan_with: Callable[..., str], parameter: str) -> None:
    """Bounds belong to the range, and -1 is some servers' way to say no limit."""
    assert plan_with(f"params = {{ {parameter} }}") == ""
