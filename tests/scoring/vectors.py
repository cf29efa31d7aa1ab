"""Numbers that other programs computed, and how closely ours must agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("statistics_vectors.json").read_text())
PAIRED = {row["name"]: row for row in VECTORS["paired"]}


def exactly(value: Any) -> Any:
    """The vectors' own tolerance; None is None."""
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)
