"""MATRIX.md says what works where, and is right."""

from __future__ import annotations

from tests.executors.all_backends.matrix import rendered
from tests.support.projects import Project, check_golden
from tests.support.repository import ROOT

PAGE = ROOT / "evalmake" / "executors" / "MATRIX.md"


def test_page(project: Project) -> None:
    """The page is what evalmake says of each of its plans (UPDATE_GOLDEN=1 writes it anew)."""
    check_golden(PAGE, rendered(project))
