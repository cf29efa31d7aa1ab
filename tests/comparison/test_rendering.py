"""A comparison on a narrow terminal."""

from __future__ import annotations

from evalmake.comparison.compare import compare_sides
from evalmake.comparison.operands import find_sides
from evalmake.project.command_words import Words
from evalmake.terminal.comparison import render_comparison
from evalmake.workspace import Workspace
from tests.support.projects import Project


def test_numbers_stay_on_one_line(compared: Project) -> None:
    """Names that do not fit beside the numbers stand above them, and no line is wider than the terminal."""
    workspace = Workspace.open(compared.root / "Evalfile")
    with workspace.read_store() as store:
        words = Words.of(["grid/good", "wide/worse/sums-cot"], "compare")
        found = compare_sides(*find_sides(workspace, store, words), with_flips=True)
    wide, narrow = (render_comparison(found, columns, 3).splitlines() for columns in (80, 66))
    assert any(line.startswith("sums -> sums-cot  400  0.785  0.770") for line in wide)
    assert "sums -> sums-cot" in narrow
    assert narrow[narrow.index("sums -> sums-cot") + 1].split()[:3] == ["400", "0.785", "0.770"]
    assert max(map(len, wide)) <= 80
    assert max(map(len, narrow)) <= 66
