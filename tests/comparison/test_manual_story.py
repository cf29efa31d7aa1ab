"""The story that the manual tells of comparisons: what its commands print is what the page shows."""

from __future__ import annotations

import re

from tests.support.manual_pages import PAGES, Session, blocks
from tests.support.projects import Project


def test_the_story_is_true(project: Project) -> None:
    """Baseline, regression, improvement and update end as they are told, word for word but for day and name."""
    session = Session(project)
    session.prepare(bare=False)
    shown = 0
    for block in blocks(PAGES["comparing"]):
        if block.language != "text":
            session.work(block)
            continue
        said = re.sub(r"\d{4}-\d\d-\d\d \S+:", "2026-12-01 ada:", session.outputs[-1])
        assert said == block.text
        shown += 1
    assert shown == 3
    text = (project.root / "baselines/main.toml").read_text()
    assert "the new server is better, at the same price" in text
    assert "score = 0.86," in text
