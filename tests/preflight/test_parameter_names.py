"""Names of request parameters: misspelt ones are errors, and unknown ones are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalmake.preflight.parameter_names import KNOWN


@pytest.mark.parametrize(
    ("name", "meant"),
    [("temprature", "temperature"), ("max_token", "max_tokens"), ("tempreature", "temperature"), ("top_kk", "top_k")],
)
def test_a_misspelt_parameter_is_an_error(name: str, meant: str, plan_with: Callable[..., str]) -> None:
    """A name that is one edit from a known one is an error that suggests it, at the parameter."""
    said = plan_with(f"params = {{ {name} = 1 }}", status=2)
    assert f"error: `params`: there is no request parameter `{name}` [bad-value]" in said
    assert "--> Evalfile:11:" in said
    assert f"help: did you mean `{meant}`?" in said


def test_any_name_may_be_the_servers_own(plan_with: Callable[..., str]) -> None:
    """`adapter.params` sends a name that is near to a known one, and says nothing."""
    assert plan_with("adapter = { params = { temprature = 1 } }") == ""


def test_an_unknown_parameter_is_told(plan_with: Callable[..., str]) -> None:
    """A name that nobody knows is sent, with a warning; a known name of a server has none."""
    told = "warning: `params`: evalmake does not know the request parameter `search_depth`, and sends it as it is"
    assert told in plan_with("params = { search_depth = 1 }")
    assert plan_with("params = { min_p = 1 }") == ""


def test_names_that_are_known_are_no_misspelling() -> None:
    """The parameters of the API and of the common servers are known."""
    assert {"temperature", "max_completion_tokens", "top_k", "chat_template_kwargs", "reasoning_effort"} <= KNOWN
