"""The benchmark programs run; what they find is not judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROXIES = (
    "direct", "aiohttp, bare", "gateway, plain", "gateway, logging", "gateway, cache misses",
    "gateway, cache replays",
)  # fmt: skip


def test_the_gateway_is_measured_where_no_other_can_be_installed(tmp_path: Path) -> None:
    """Every proxy answers, asks upstream what it is to ask, has its row, and who is left out is told."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    python.chmod(0o755)
    options = "--seconds 0.1 --warm 0.05 --rounds 1 --connections 1 4 --replays 20 --nemo"
    argv = [sys.executable, "-m", "tests.benchmarks", "gateway", *options.split(), str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    left_out, _, *lines = done.stdout.splitlines()
    assert "left out, it cannot be installed" in left_out
    assert left_out.endswith("no such package")
    rows = lines[1 : 1 + 2 * len(PROXIES)]
    assert [row[:30].rstrip() for row in rows] == [name for name in PROXIES for _ in range(2)]
    assert lines[len(rows) + 1] == ""  # nothing odd
    assert len(lines[len(rows) + 2 :]) == 4
