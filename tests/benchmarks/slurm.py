"""Many small jobs on a Slurm of the benchmark's own: what its controller is asked, and what evalmake spends.

Beside it the same jobs by hand: an sbatch for each, and squeue once a second until they are over.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]
COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this benchmark."""
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=16)
    parser.set_defaults(measure=main)


def main(options: argparse.Namespace) -> int:
    """Measure and print."""
    sys.path[:0] = [str(TESTS), str(TESTS / "slurm")]
    from slurm_cluster import cluster
    from trials import trial
    from workspaces import SCORE

    with cluster() as running:
        with trial(running) as work:
            work.cells(options.jobs, SCORE)
            spent = _forgotten(running)
            process = work.start(f"SLOTS={options.slots}")
            _, said = process.communicate()
            assert process.returncode == 0, said[-2000:]
            assert work.begun() == Counter(range(1, options.jobs + 1))
            _print(f"evalmake, {options.jobs} jobs", running, *spent())
        spent = _forgotten(running)
        _by_hand(running, options.jobs)
        _print("one sbatch for each", running, *spent())
    return 0


def _forgotten(cluster):  # type: ignore[no-untyped-def]
    """Count calls from nothing; the function that tells seconds since then, and of processors."""
    cluster.wrappers.forget()
    cluster.forget_rpcs()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)

    def spent() -> tuple[float, float]:
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return time.perf_counter() - start, used

    return spent


def _by_hand(cluster, jobs: int) -> None:  # type: ignore[no-untyped-def]
    env = os.environ | cluster.env
    words = ["sbatch", "--parsable", "--mem=100", "-o", "/dev/null", "-J", "by-hand", "--wrap", "true"]  # fmt: skip
    for _ in range(jobs):
        subprocess.run(words, env=env, check=True, capture_output=True)
    asked = ["squeue", "-h", "-n", "by-hand"]
    while subprocess.run(asked, env=env, check=True, capture_output=True).stdout:
        time.sleep(1)


def _print(what: str, cluster, wall: float, used: float) -> None:  # type: ignore[no-untyped-def]
    calls = Counter(words[0] for words in cluster.wrappers.calls())
    counts = cluster.rpc_counts()
    told = ", ".join(f"{calls[name]} {name}" for name in COMMANDS)
    print(f"{what:<24} {wall:7.1f} s, {used:6.1f} s of processors (commands included)")
    print(f"{'':<24} calls: {told}")
    most = sorted(counts.items(), key=lambda one: -one[1])[:8]
    print(f"{'':<24} asked: {', '.join(f'{count} {name}' for name, count in most)}", flush=True)
