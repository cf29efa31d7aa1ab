"""Plans of one evaluation that has a setting of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.evalfiles import QUESTIONS
from tests.support.projects import Project


@pytest.fixture
def plan_with(project: Project) -> Callable[..., str]:
    """A function that plans an eval with a setting, and returns what was said."""
    project.write("sums.jsonl", '{"question": "1 + 1?", "answer": 2}\n')

    def plan(setting: str, status: int = 0) -> str:
        evalfile = QUESTIONS.replace("DATA", "sums.jsonl")
        project.write("Evalfile", evalfile.replace("benchmark = b }", f"benchmark = b, {setting} }}"))
        return project.run("-n", status=status).stderr

    return plan
