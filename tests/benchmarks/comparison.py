"""The time of `evalmake compare` with many samples: two sides of one benchmark, with and without their flips.

Every figure is of whole processes: least / median wall time, and the most memory one of them took.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import graphs
from tests.benchmarks.measure import timed

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark before {
    harness = command
    files   = file("job.py")
    run     = "SKILL=0.80 python3 data/job.py"
}

benchmark after from before { run = "SKILL=0.79 python3 data/job.py" }

eval e {
    model     = m
    benchmark in [before, after]
}
"""
JOB = """\
import json, os, random

skill, out, count = float(os.environ["SKILL"]), os.environ["EVALMAKE_OUT"], %d
draw, right = random.Random(os.environ["SKILL"]), 0
with open(out + "/samples.jsonl", "w") as file:
    for number in range(count):
        score = float(draw.random() < skill)
        right += score
        question = {"role": "user", "content": f"What is the answer to question {number}? " * 5}
        row = {
            "id": f"q{number}", "item": f"{number:016x}", "repetition": 1, "scores": {"accuracy": score},
            "error": None, "cluster": None, "target": "42", "reply": f"The answer is {draw.randrange(100)}. " * 5,
            "request": {"model": "m", "messages": [question]}, "tokens_in": 30, "tokens_out": 40, "latency": 0.1,
        }
        file.write(json.dumps(row) + "\\n")
with open(out + "/scores.json", "w") as file:
    json.dump({"accuracy": right / count}, file)
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options, and what they are for."""
    parser.add_argument("--samples", type=int, nargs="*", default=[1000, 10_000, 50_000], help="of each side")
    parser.add_argument("--runs", type=int, default=5, help="of each command")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Make the results, compare them, and print a row for each command."""
    own = graphs.evalmake()
    commands = {
        "compare": ("e/before", "e/after"),
        "compare --flips": ("e/before", "e/after", "--flips"),
        "compare --json --flips": ("e/before", "e/after", "--json", "--flips"),
    }
    with tempfile.TemporaryDirectory(prefix="evalmake-bench-") as scratch:
        for samples in options.samples:
            folder = Path(scratch) / str(samples)
            folder.mkdir()
            (folder / "Evalfile").write_text(EVALFILE)
            (folder / "job.py").write_text(JOB % samples)
            timed([own, "-s"], folder, 1)
            for name, words in commands.items():
                found = timed([own, "compare", *words], folder, options.runs, good=(0, 1))
                memory = "" if found.memory is None else f"{found.memory:.0f} MB"
                print(f"{samples:>8} samples  {name:<24} {found!s:>20} {memory:>8}".rstrip(), flush=True)
    return 0
