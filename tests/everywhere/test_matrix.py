"""MATRIX.md says what works where, and is right."""

from __future__ import annotations

from pathlib import Path

from matrix import rendered
from projects import Project, check_golden

PAGE = Path(__file__).parents[2] / "evalmake" / "executors" / "MATRIX.md"


def test_page(project: Project) -> None:
    """The page is what evalmake says of each of its plans (UPDATE_GOLDEN=1 writes it anew)."""
    check_golden(PAGE, rendered(project))
