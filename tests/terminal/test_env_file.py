"""`--env-file`: variables of a command from a file."""

from __future__ import annotations

import os

import pytest

from tests.support.projects import Project

EVALFILE = """\
WORD = env("WORD")
executor here {
    backend = process
    env     = { TOKEN = secret("TOKEN"), OTHER = "${WORD}" }
}
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    files   = file("job.py")
    run     = "python3 data/job.py"
}
eval e {
    model     = m
    benchmark = b
    executor  = here
}
"""
JOB = """\
import json, os
assert (os.environ["TOKEN"], os.environ["OTHER"]) == ("swordfish-0123456", "from the shell"), os.environ["OTHER"]
json.dump({"right": 1}, open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w"))
"""


def test_variables_come_from_the_file(project: Project) -> None:
    """Secrets and `env(...)` read them; the environment wins; and the command leaves no trace of them."""
    project.write("Evalfile", EVALFILE)
    project.write("job.py", JOB)
    project.write(".env", "# keys\n\nexport TOKEN='swordfish-0123456'  # mine\nWORD=from the file\n")
    assert "TOKEN" in project.run("-n", env={"WORD": "x"}).stdout
    ran = project.run("--env-file", ".env", env={"WORD": "from the shell"})
    assert "1 ran" in ran.stdout
    assert "TOKEN" not in os.environ
    assert "swordfish" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nnonsense swordfish\n", ".env:2: the line is not `NAME=VALUE`"),
        ("A='swordfish\n", ".env:1: the line is not `NAME=VALUE`"),
        ("2A=swordfish\n", ".env:1: the line is not `NAME=VALUE`"),
    ],
)
def test_mistakes_are_told_without_values(project: Project, text: str, said: str) -> None:
    """A line that is no variable is named by its number, and what stands in it is not shown."""
    project.write("Evalfile", EVALFILE)
    project.write(".env", text)
    ran = project.run("-n", "--env-file", ".env", status=2)
    assert said in ran.stderr
    assert "swordfish" not in ran.stderr


def test_a_missing_file_is_an_error(project: Project) -> None:
    """A file that is not there is told by its name."""
    assert "cannot read `none.env`" in project.run("-n", "--env-file", "none.env", status=2).stderr
