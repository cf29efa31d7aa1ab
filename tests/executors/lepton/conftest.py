"""What tests of builds on Lepton share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for a workspace."""
    (tmp_path / "bench").mkdir()
    return tmp_path / "bench"
