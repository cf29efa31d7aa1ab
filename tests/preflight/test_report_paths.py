"""Where reports and plans may be written: over nothing that evalmake or its user needs."""

from __future__ import annotations

import pytest

from tests.support.evalfiles import PROGRAM
from tests.support.projects import Project

REPORT = """
report r {
    of     = [e]
    format = json
    path   = "PATH"
}
"""


def write_project(project: Project, path: str) -> str:
    """Write an Evalfile with a report of this path; its text."""
    text = PROGRAM + REPORT.replace("PATH", path)
    project.write("Evalfile", text)
    project.write("job.sh", "true\n")
    return text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".evalmake/store/cache.db", "lies where evalmake keeps results"),
        ("sub/../.evalmake/lock", "lies where evalmake keeps results"),
        ("Evalfile", "Evalfile is an input"),
        ("Evalfile.lock", "Evalfile.lock is an input"),
    ],
)
def test_a_report_overwrites_nothing_of_worth(project: Project, path: str, said: str) -> None:
    """A report over the store, the Evalfile or its lock file is an error before anything runs."""
    write_project(project, path)
    refused = project.run("-n", status=2).stderr
    assert said in refused
    assert "[same-path]" in refused


@pytest.mark.parametrize(
    ("path", "said"), [("Evalfile", "it is the Evalfile"), (".", "Is a directory"), ("/dev/null", "it is a device")]
)
def test_a_plan_overwrites_nothing_of_worth(project: Project, path: str, said: str) -> None:
    """`-n -o` writes no plan over the Evalfile, a folder or a device."""
    text = write_project(project, "r.json")
    refused = project.run("-n", "-o", path, status=2).stderr
    assert f"cannot write the plan to {path}: {said}" in refused
    assert (project.root / "Evalfile").read_text() == text


def test_a_pattern_that_is_too_deep(project: Project) -> None:
    """A pattern of thousands of nested groups is no regular expression, which is told."""
    pattern = "(" * 3000 + "a" + ")" * 3000
    project.write(
        "Evalfile",
        f"""
model m {{ endpoint = "http://127.0.0.1:9/v1", name = "m" }}
benchmark b {{
    harness = native
    files   = file("d.jsonl")
    prompt  = "{{q}}"
    target  = "{{a}}"
    scorer  = regex
    pattern = "{pattern}"
}}
eval e {{ model = m, benchmark = b }}
""",
    )
    project.write("d.jsonl", '{"q": "x", "a": "y"}\n')
    assert "it is not a regular expression" in project.run("-n", status=2).stderr
