"""Judges of benchmarks of the catalog that no judge grades."""

from __future__ import annotations

import pytest

from tests.support.projects import Project

EVALFILE = """\
include "catalog:{harness}"
executor box {{ backend = docker }}
model m {{
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
}}
defaults benchmark {{ judge = m }}
benchmark b from {benchmark} {{ {own} }}
eval e {{
    model     = m
    benchmark = b
    executor  = box
}}
"""


@pytest.mark.parametrize(
    ("benchmark", "own", "told"),
    [
        ("simple-evals.mgsm", "", True),
        ("simple-evals.mgsm", "judge = none", False),
        ("simple-evals.simpleqa", "", False),
        ("nemo-skills.ns-gsm8k", "", False),
    ],
)
def test_a_judge_that_nothing_asks_is_told(project: Project, benchmark: str, own: str, told: bool) -> None:
    """A warning, as the catalog may know less than the harness; none where a judge grades, or can be switched on."""
    harness = benchmark.partition(".")[0]
    project.write("Evalfile", EVALFILE.format(harness=harness, benchmark=benchmark, own=own))
    said = project.run("-n", status=None).stderr
    assert ("warning: `judge` may change nothing" in said) == told
