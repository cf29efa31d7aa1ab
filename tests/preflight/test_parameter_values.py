"""Values of common request parameters that no server takes as they are meant."""

from __future__ import annotations

import pytest

from tests.support.projects import Project

EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
}

benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
}

eval e {
    model     = m
    benchmark = sums
    params    = { PARAMETER }
}
"""


@pytest.fixture
def sums(project: Project) -> Project:
    """A project with one question."""
    project.write("sums.jsonl", '{"question": "1 + 1?", "answer": 2}\n')
    return project


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
def test_a_value_that_no_server_takes_is_an_error(sums: Project, parameter: str, message: str, help: str) -> None:
    """The message says what the parameter is and what was written, before anything runs."""
    sums.write("Evalfile", EVALFILE.replace("PARAMETER", parameter))
    said = sums.run("-n", status=2).stderr
    assert f"error: `params`: {message} [bad-value]" in said
    assert help in said


@pytest.mark.parametrize("parameter", ["temperature = 0", "max_tokens = -1", "top_p = 1", "presence_penalty = -0.5"])
def test_values_of_the_api_are_sent(sums: Project, parameter: str) -> None:
    """Bounds belong to the range, and -1 is some servers' way to say no limit."""
    sums.write("Evalfile", EVALFILE.replace("PARAMETER", parameter))
    assert sums.run("-n").stderr == ""
