"""Whole processes, several times: least and median wall time, and the most memory one took."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of wall time, and the peak resident set in MB."""

    least: float
    median: float
    memory: float | None

    def __str__(self) -> str:
        return f"{_seconds(self.least)} / {_seconds(self.median)}"


def timed(
    argv: Sequence[str],
    folder: Path,
    runs: int,
    before: Callable[[], None] | None = None,
    good: Sequence[int] = (0,),
) -> Timing:
    """Run `argv` in `folder` so many times, `before` (untimed) ahead of each."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    times = []
    for _ in range(runs):
        if before is not None:
            before()
        start = time.perf_counter()
        child = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, env=env)
        status = child.wait()
        times.append(time.perf_counter() - start)
        if status not in good:
            raise RuntimeError(f"{' '.join(argv)} in {folder} ended with {status}")
    return Timing(min(times), statistics.median(times), _memory(argv, folder) if runs > 1 else None)


def _memory(argv: Sequence[str], folder: Path) -> float | None:
    """The peak of one more run, asked of time(1): a child of ours would begin with our own peak."""
    if shutil.which("time") is None:
        return None
    done = subprocess.run(["time", "-f", "%M", *argv], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return int(done.stderr.split()[-1]) / 1024


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
