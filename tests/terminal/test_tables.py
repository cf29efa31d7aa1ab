"""Lines are wrapped at spaces, and names stay whole."""

from __future__ import annotations

import pytest

from evalmake.terminal.tables import align_columns, wrap_row, wrap_text

REASON = "benchmark.params.temperature: 0.0 -> 0.7, benchmark.params.top_p: 0.9 -> 0.95 and 3 more"
LONG = "grid/nvidia-nemotron-nano-9b-v2/lm-evaluation-harness.mmlu-pro-computer-science/1..8"


def test_columns() -> None:
    """Cells of a column begin at one place, and lines have no spaces at their end."""
    assert align_columns([("a", "b"), ("long", "")]) == ["a     b", "long"]


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (
            "  ~ grid/m/b/1   ",
            "  ~ grid/m/b/1   benchmark.params.temperature: 0.0 -> 0.7,\n"
            "                 benchmark.params.top_p: 0.9 -> 0.95 and 3 more",
        ),
        (
            f"  ~ {LONG}   ",
            f"  ~ {LONG}\n"
            "      benchmark.params.temperature: 0.0 -> 0.7, benchmark.params.top_p: 0.9 ->\n"
            "      0.95 and 3 more",
        ),
    ],
)
def test_a_row(head: str, shown: str) -> None:
    """The text has a column of its own beside the name; below it, if the name takes half of the line."""
    assert wrap_row(head, REASON, 80) == shown
    assert all(len(line) <= 80 for line in shown.splitlines() if LONG not in line)


def test_in_a_pipe_nothing_is_wrapped() -> None:
    """Without a width a row is one line."""
    assert wrap_row("  ~ name   ", REASON, None) == f"  ~ name   {REASON}"
    assert wrap_text(REASON, None) == REASON


def test_a_long_name_is_not_broken() -> None:
    """Not at a hyphen, not at a slash, not at the width."""
    assert wrap_text(f"unpinned: hf://{LONG}; `evalmake pin` locks them", 40).splitlines() == [
        "unpinned:",
        f"  hf://{LONG};",
        "  `evalmake pin` locks them",
    ]
