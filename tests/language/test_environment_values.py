"""Variables of the environment have the type of their default, as overrides have that of their declaration."""

from __future__ import annotations

import pytest

from tests.support.projects import Project

EVALFILE = """
VALUE = env("VALUE", {default})
deployment stand-in {{ engine = mock }}
model m {{ deployment = stand-in }}
benchmark sums {{ harness = command, run = "run-sums" }}
eval e {{ model = m, benchmark = sums, params = {{ value = VALUE }} }}
"""


@pytest.mark.parametrize(
    ("default", "given", "value"),
    [
        ("100", "5", "5"),
        ("100", "1_000", "1000"),
        ("0.7", "1", "1"),
        ("1", "-2.5e1", "-25.0"),
        ("0.5", "20%", "0.2"),
        ("true", "false", "false"),
        ('"a"', "5", '"5"'),
        ("none", "5", '"5"'),
    ],
)
def test_a_value_has_the_type_of_its_default(project: Project, default: str, given: str, value: str) -> None:
    """A number stays a number, so that `env("LIMIT", 100)` can be a limit on any machine."""
    project.write("Evalfile", EVALFILE.format(default=default))
    assert f"= {value} " in project.run("show", "e", env={"VALUE": given}).stdout


@pytest.mark.parametrize(("default", "given"), [("100", "many"), ("true", "1"), ("1", ""), ("1", "١")])
def test_a_value_of_another_type_is_told(project: Project, default: str, given: str) -> None:
    """What cannot be read as the default is an error that names both."""
    project.write("Evalfile", EVALFILE.format(default=default))
    said = project.run("-n", env={"VALUE": given}, status=2).stderr
    kind = "`true` or `false`" if default == "true" else "a number"
    assert f"error: the environment's `VALUE` is `{given}`, and its default is {kind}" in said


def test_a_variable_of_one_machine(project: Project) -> None:
    """The cure for a variable that two files declare works: it takes a number of the environment as a limit."""
    text = EVALFILE.format(default="100").replace("params = { value = VALUE }", "limit = VALUE, timeout = TIME")
    project.write("Evalfile", text + 'TIME = env("TIME", 1h)\n')
    said = project.run("show", "e", env={"VALUE": "7", "TIME": "90s"}).stdout
    assert "= 7 " in said
    assert "= 90s " in said
