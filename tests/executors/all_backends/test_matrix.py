"""The manual's page `what-works-where` is right."""

from __future__ import annotations

from tests.executors.all_backends.matrix import rendered
from tests.support.projects import Project, check_golden
from tests.support.repository import ROOT

PAGE = ROOT / "evalmake" / "manual" / "what-works-where.md"


def test_page(project: Project) -> None:
    """The manual's page shows the messages for each combination (UPDATE_GOLDEN=1 rewrites it)."""
    check_golden(PAGE, rendered(project))
