"""The benchmark programs run; what they find is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.statistics_bars import verdict
from tests.benchmarks.statistics_methods import clopper_pearson, jeffreys
from tests.support.daemons import needed
from tests.support.docker_engine import Dockerd
from tests.support.slurm_cluster import lacking

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/scoring/statistics_vectors.json").read_text())
PROXIES = (
    "direct",
    "aiohttp, bare",
    "gateway, plain",
    "gateway, logging",
    "gateway, cache misses",
    "gateway, cache replays",
)


def measured(*words: str) -> list[str]:
    """What a benchmark program prints."""
    argv = [sys.executable, "-m", "tests.benchmarks", *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def without_packages(folder: Path) -> str:
    """An environment in which nothing can be installed."""
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    python.chmod(0o755)
    return str(folder)


def test_the_gateway_is_measured_where_no_other_can_be_installed(tmp_path: Path) -> None:
    """Every proxy answers, asks upstream what it is to ask, has its row, and who is left out is told."""
    options = "--seconds 0.1 --warm 0.05 --rounds 1 --connections 1 4 --replays 20 --nemo"
    left_out, _, *lines = measured("gateway", *options.split(), without_packages(tmp_path))
    assert "left out, it cannot be installed" in left_out
    assert left_out.endswith("no such package")
    rows = lines[1 : 1 + 2 * len(PROXIES)]
    assert [row[:30].rstrip() for row in rows] == [name for name in PROXIES for _ in range(2)]
    assert lines[len(rows) + 1] == ""  # nothing odd
    assert len(lines[len(rows) + 2 :]) == 4


def test_containers_are_measured_where_the_launcher_cannot_be_installed(tmp_path: Path, engine: Dockerd) -> None:
    """Each way that there is starts as many containers as it is to, and has its row for each count."""
    options = ["--runs", "1", "--counts", "1", "2", "--launcher", without_packages(tmp_path)]
    left_out, _, *rows = measured("containers", *options)
    assert "left out, it cannot be installed" in left_out
    how = ["1 evaluations", "2 evaluations, in turn", "2 evaluations, at once"]
    ways = ["docker run", "evalmake"]
    assert [row[:40].rstrip() for row in rows] == [f"{one:<24}{way}" for one in how for way in ways]


def test_stored_replies_are_scored_again() -> None:
    """Each scorer has its row."""
    lines = measured("rescoring", "--count", "20", "--runs", "2")
    assert [line.split()[:3] for line in lines] == [["20", "replies", "exact"], ["20", "replies", "number"]]


def test_samples_are_looked_through() -> None:
    """Each way to look has its row."""
    lines = measured("samples", "--count", "200", "--bytes", "300", "--runs", "1")
    titles = ["a text and a score", "a pattern and a field", "all, as JSON"]
    assert [line[18:42].rstrip() for line in lines] == titles
    assert all(line.startswith("     200 samples  ") for line in lines)


def test_comparisons_are_timed() -> None:
    """Each way to compare has its row for each number of samples."""
    rows = measured("comparison", "--samples", "50", "100", "--runs", "1")
    ways = ["compare", "compare --flips", "compare --json --flips"]
    assert [row[:42].rstrip() for row in rows] == [f"{n:>8} samples  {way}" for n in (50, 100) for way in ways]


def test_intervals_are_simulated() -> None:
    """Each kind of scores has its rows and its bars; two runs with one seed print the same."""
    lines = measured("statistics", "--runs", "5", "--seed", "3")
    assert lines == measured("statistics", "--runs", "5", "--seed", "3")
    titles = [
        "one run of 0/1 scores",
        "3 seeds of 0/1 scores",
        "0/1 scores in clusters",
        "0/1 scores with weights",
        "other scores from 0 to 1",
        "means of several seeds, nothing else known",
    ]
    assert [line for line in lines if line in titles] == titles
    without_rival = lines.count("width: no other method covers 92 everywhere")
    assert without_rival <= 1  # of weighted items
    for bar, absent in (("least coverage: ", 0), ("mean coverage: ", 0), ("width / narrowest of ", without_rival)):
        shown = sum(line.startswith(bar) and " +- " in line and ", aim " in line for line in lines)
        assert shown == len(titles) - absent
    coverages = [line for line in lines if "coverage: " in line]
    assert not [line for line in coverages if "MISSED" in line]  # five runs say nothing against any method
    assert "interval and p disagree: 0 times" in lines


def test_intervals_are_simulated_without_packages_of_tests() -> None:
    """What only other benchmarks or the tests need is not imported."""
    program = "import sys, runpy; sys.modules |= dict.fromkeys(['pytest', 'docker', 'httptools', 'uvloop']); "
    program += "sys.argv[1:] = ['statistics', '--help']; runpy.run_module('tests.benchmarks', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--seed" in done.stdout


def test_a_bar_is_missed_beyond_the_noise_only() -> None:
    """A figure beyond a bar is judged when it is further away than Monte Carlo error."""
    assert verdict([(-1.0, 0.1), (0.0, 0.0)]) == "met"
    assert verdict([(0.29, 0.1)]) == "undecided, within 3 errors"
    assert verdict([(-1.0, 0.1), (0.31, 0.1)]) == "MISSED"
    assert verdict([(0.001, 0.0)]) == "MISSED"  # enumerated


@pytest.mark.parametrize("row", VECTORS["proportion_ci"], ids=lambda row: f"{row['k']}/{row['n']}")
def test_the_methods_beside_agree_with_their_tables(row: dict[str, Any]) -> None:
    """Clopper-Pearson and Jeffreys, with which Wilson is compared, agree with the vectors."""
    k, n = row["k"], row["n"]
    assert clopper_pearson(k, n) == pytest.approx(row["clopper_pearson"], rel=1e-9, abs=1e-9)
    assert jeffreys(k, n) == pytest.approx(row["jeffreys"], rel=1e-9, abs=1e-9)


def test_many_jobs_are_counted() -> None:
    """Each call of Slurm's commands and each question to its controller has its row, and so have their sums."""
    needed("Slurm", lacking())
    head, _, *lines = measured("slurm", "--jobs", "3", "--slots", "2")
    assert head == "| 3 jobs | evalmake | one sbatch for each |"
    rows = dict(line.strip("| ").split(" | ", 1) for line in lines)
    assert rows["calls of sbatch"] == rows["REQUEST_SUBMIT_BATCH_JOB"] == "1 | 3"
    counted = [name for name in rows if name.isupper()]
    sums = [sum(int(rows[name].split(" | ")[at]) for name in counted) for at in (0, 1)]
    assert rows["all that the controller is asked"] == " | ".join(map(str, sums))
