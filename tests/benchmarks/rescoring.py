"""`evalmake` where only the scorer has changed: it scores many stored replies again, and asks nothing.

The store has the result of an evaluation by a mock server. Every figure is of whole builds, each with another scorer:
least / median wall time, and the seconds of the processor of all their processes.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks import graphs
from tests.benchmarks.measure import timed

EVALFILE = """\
deployment d { engine = mock }
model m { deployment = d }
benchmark b {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = contains
}
eval e {
    model     = m
    benchmark = b
}
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this benchmark."""
    parser.add_argument("--count", type=int, default=10_000, help="stored replies")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scorers", nargs="+", default=["exact", "number"])
    parser.set_defaults(measure=main)


def main(options: argparse.Namespace) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evalmake-rescoring-") as scratch:
        folder = Path(scratch)
        (folder / "Evalfile").write_text(EVALFILE)
        rows = ({"question": f"What is {at} + {at % 97}?", "answer": at + at % 97} for at in range(options.count))
        (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        timed([graphs.evalmake(), "-s"], folder, 1)
        for scorer in options.scorers:
            text = EVALFILE.replace("contains", scorer)
            walls, processor = list[float](), list[float]()
            for run in range(options.runs):  # each with another target, as a scorer that was used has a result
                (folder / "Evalfile").write_text(text.replace('{answer}"', f'{{answer}}{" " * run}"'))
                wall, used = _build(folder)
                walls.append(wall)
                processor.append(used)
            found = f"{min(walls):.2f} s / {statistics.median(walls):.2f} s"
            print(f"{options.count:>8} replies  {scorer:<12} {found:>20}  processor {min(processor):.2f} s", flush=True)
    return 0


def _build(folder: Path) -> tuple[float, float]:
    """The wall time of a build, and the time of the processor that it and its jobs took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([graphs.evalmake(), "-s"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
