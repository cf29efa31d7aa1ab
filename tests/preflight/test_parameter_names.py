"""Names of request parameters: misspelt ones are errors, and unknown ones are told."""

from __future__ import annotations

import pytest

from evalmake.preflight.parameter_names import KNOWN
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
    params    = { NAME = 1 }
}
"""


@pytest.fixture
def sums(project: Project) -> Project:
    """A project with one question."""
    project.write("sums.jsonl", '{"question": "1 + 1?", "answer": 2}\n')
    return project


@pytest.mark.parametrize(
    ("name", "meant"),
    [("temprature", "temperature"), ("max_token", "max_tokens"), ("tempreature", "temperature"), ("top_kk", "top_k")],
)
def test_a_misspelt_parameter_is_an_error(name: str, meant: str, sums: Project) -> None:
    """A name that is one edit from a known one is an error that suggests it, at the parameter."""
    sums.write("Evalfile", EVALFILE.replace("NAME", name))
    said = sums.run("-n", status=2).stderr
    assert f"error: `params`: there is no request parameter `{name}` [bad-value]" in said
    assert "--> Evalfile:16:" in said
    assert f"help: did you mean `{meant}`?" in said


def test_any_name_may_be_the_servers_own(sums: Project) -> None:
    """`adapter.params` sends a name that is near to a known one, and says nothing."""
    sums.write("Evalfile", EVALFILE.replace("params    = { NAME = 1 }", "adapter   = { params = { temprature = 1 } }"))
    assert sums.run("-n").stderr == ""


def test_an_unknown_parameter_is_told(sums: Project) -> None:
    """A name that nobody knows is sent, with a warning; a known name of a server has none."""
    sums.write("Evalfile", EVALFILE.replace("NAME", "search_depth"))
    told = "warning: `params`: evalmake does not know the request parameter `search_depth`, and sends it as it is"
    assert told in sums.run("-n").stderr
    sums.write("Evalfile", EVALFILE.replace("NAME", "min_p"))
    assert sums.run("-n").stderr == ""


def test_names_that_are_known_are_no_misspelling() -> None:
    """The parameters of the API and of the common servers are known."""
    assert {"temperature", "max_completion_tokens", "top_k", "chat_template_kwargs", "reasoning_effort"} <= KNOWN
