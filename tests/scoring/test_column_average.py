"""The average of a row over its columns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring.column_average import average_columns
from evalmake.scoring.intervals import wilson
from evalmake.scoring.seed_average import SeedAverage

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("statistics_vectors.json").read_text())


def share(k: int, n: int) -> SeedAverage:
    """k right of n."""
    p = k / n
    low, high = wilson(k, n)
    return SeedAverage(p, math.sqrt(p * (1 - p) / (n - 1)), low, high, 1, n, basis="proportion")


def test_each_column_counts_the_same() -> None:
    """Mean and error are those of the table for given tasks, whatever their sizes."""
    row = VECTORS["aggregate"]
    found = average_columns([SeedAverage(task["mean"], task["se"]) for task in row["tasks"]])
    assert found.mean == pytest.approx(row["macro_mean"], rel=1e-9)
    assert found.stderr == pytest.approx(row["macro_se_fixed_tasks"], rel=1e-9)
    assert (found.low, found.high) == (None, None)


def test_one_column_is_its_own_average() -> None:
    """A single column keeps its interval, on any scale."""
    found = average_columns([SeedAverage(31.0, 0.5, 30.0, 32.0, basis="mean")])
    assert (found.mean, found.low, found.high) == (31.0, 30.0, 32.0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(30, 60)), min_size=1, max_size=6))
def test_the_interval_stays_inside(columns: list[tuple[int, int]]) -> None:
    """It holds the mean, has a width, stays in [0, 1] and is no wider than the columns' intervals on average."""
    cells = [share(k, n) for k, n in columns]
    found = average_columns(cells)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert -1e-12 <= found.low <= found.mean <= found.high <= 1 + 1e-12
    widths = [cell.high - cell.low for cell in cells if cell.high is not None and cell.low is not None]
    assert found.high - found.low <= sum(widths) / len(widths) + 1e-12


@pytest.mark.parametrize(
    "cells",
    [[], [share(7, 10), SeedAverage(None)]],
    ids=["none", "not scored"],
)
def test_what_has_no_average(cells: list[SeedAverage]) -> None:
    """A column without a value leaves the row without an average; of other scales, see `test_group_average`."""
    assert average_columns(cells) == SeedAverage(None)
