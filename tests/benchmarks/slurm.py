"""Many small jobs on a Slurm of the benchmark's own: what its controller is asked, and what evalmake spends.

Sidecar it the same jobs by hand: an sbatch for each, and squeue once a second until they are over.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel")
OUR_OWN = "REQUEST_STATS_INFO"
"""By which the counts themselves are asked for."""
OF_NODES = (
    "REQUEST_COMPLETE_BATCH_SCRIPT",
    "MESSAGE_EPILOG_COMPLETE",
    "MESSAGE_NODE_REGISTRATION_STATUS",
)
"""What nodes tell the controller, whoever submitted their jobs."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this benchmark."""
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=16)
    parser.set_defaults(measure=main)


def main(options: argparse.Namespace) -> int:
    """Measure and print."""
    sys.path[:0] = [str(TESTS), str(TESTS / "slurm")]
    from tests.executors.slurm.counted_cells import counted_cells
    from tests.support.slurm_cluster import cluster
    from tests.support.workspaces import SCORE

    with cluster() as running:
        with counted_cells(running) as work:
            work.write_cells(options.jobs, SCORE)
            spent = _forgotten(running)
            process = work.start(f"SLOTS={options.slots}")
            _, said = process.communicate()
            assert process.returncode == 0, said[-2000:]
            assert work.begun() == Counter(range(1, options.jobs + 1))
            ours = spent()
        spent = _forgotten(running)
        _by_hand(running, options.jobs)
        for line in table(options.jobs, {"evalmake": ours, "one sbatch for each": spent()}):
            print(line)
    return 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What jobs took: seconds, those of processors, calls of commands, and questions to the controller."""

    wall: float
    used: float
    calls: Mapping[str, int]
    asked: Mapping[str, int]


def table(jobs: int, ways: Mapping[str, Spent]) -> Iterator[str]:
    """The figures of some ways to run so many jobs, as Markdown has a table."""
    yield _row(f"{jobs} jobs", ways)
    yield _row("---", ["---:"] * len(ways))
    yield _row("seconds", [f"{one.wall:.1f}" for one in ways.values()])
    used = [f"{one.used:.1f}" for one in ways.values()]
    yield _row("seconds of processors, commands included", used)
    for name in COMMANDS:
        yield _row(f"calls of {name}", [str(one.calls.get(name, 0)) for one in ways.values()])
    kinds = Counter[str]()
    for one in ways.values():
        kinds.update(one.asked)
    for kind, _ in kinds.most_common():
        yield _row(kind, [str(one.asked.get(kind, 0)) for one in ways.values()])
    yield _row("all that the controller is asked", [str(sum(w.asked.values())) for w in ways.values()])
    by_users = [str(sum(n for kind, n in w.asked.items() if kind not in OF_NODES)) for w in ways.values()]
    yield _row("of that, by commands", by_users)


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _forgotten(cluster):  # type: ignore[no-untyped-def]
    """Count from nothing; the function that tells what was spent since then."""
    cluster.wrappers.forget()
    cluster.forget_rpcs()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)

    def spent() -> Spent:
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        calls = Counter(words[0] for words in cluster.wrappers.calls())
        counts = cluster.rpc_counts()
        return Spent(wall, used, calls, {k: n for k, n in counts.items() if k != OUR_OWN})

    return spent


def _by_hand(cluster, jobs: int) -> None:  # type: ignore[no-untyped-def]
    env = os.environ | cluster.env
    words = ["sbatch", "--parsable", "--mem=100", "-o", "/dev/null", "-J", "by-hand", "--wrap", "true"]
    for _ in range(jobs):
        subprocess.run(words, env=env, check=True, capture_output=True)
    asked = ["squeue", "-h", "-n", "by-hand"]
    while subprocess.run(asked, env=env, check=True, capture_output=True).stdout:
        time.sleep(1)
