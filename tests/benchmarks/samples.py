"""`evalmake results --samples` over many samples of one evaluation: chosen by an expression, and all of them.

The store holds one evaluation with that many samples, each of about so many bytes, in the native harness's form.
Every figure is of whole processes: least / median wall time, and the most memory one of them took.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import graphs
from tests.benchmarks.measure import timed

EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    run     = "sh ../../../job.sh"
}
eval e {
    model     = m
    benchmark = b
}
"""
JOB = """\
cp ../../../samples.jsonl $EVALMAKE_OUT
echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json
"""
WORDS = ("the", "of", "Paris", "London", "because", "therefore", "we", "compute", "sum", "x = 3", "\n", "answer")
COMMANDS = {
    "a text and a score": ("--where", 'score < 0.5 and "Paris London" in reply', "--json"),
    "a pattern and a field": ("--where", 'record.level == 3 and reply matches "Paris.*London"', "--json"),
    "all, as JSON": ("--json",),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this benchmark."""
    parser.add_argument("--count", type=int, default=50_000, help="samples")
    parser.add_argument("--bytes", type=int, default=2000, help="of each, about")
    parser.add_argument("--runs", type=int, default=5)
    parser.set_defaults(measure=main)


def main(options: argparse.Namespace) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evalmake-samples-") as scratch:
        folder = Path(scratch)
        (folder / "Evalfile").write_text(EVALFILE)
        (folder / "job.sh").write_text(JOB)
        with (folder / "samples.jsonl").open("w") as file:
            file.writelines(_make_lines(options.count, options.bytes))
        timed([graphs.evalmake(), "-s"], folder, 1)
        for name, words in COMMANDS.items():
            timing = timed([graphs.evalmake(), "results", "--samples", *words], folder, options.runs)
            memory = "" if timing.memory is None else f"{timing.memory:.0f} MB"
            print(f"{options.count:>8} samples  {name:<24} {timing!s:>20} {memory:>8}".rstrip(), flush=True)
    return 0


def _make_lines(count: int, size: int) -> Iterator[str]:
    """Samples of random words, the same each time."""
    chance = random.Random(1)
    words = max(1, size // 7)

    def text(share: float) -> str:
        return " ".join(chance.choices(WORDS, k=max(1, int(words * share))))

    for number in range(count):
        row = {
            "id": f"q/{number}",
            "item": f"{number:x}",
            "index": number,
            "input": {"level": number % 5, "question": text(0.2)},
            "request": {"messages": [{"role": "user", "content": text(0.2)}]},
            "reply": text(0.6),
            "answer": "3",
            "target": "4",
            "scores": {"accuracy": number % 2},
            "error": None,
            "tokens_in": 100,
            "tokens_out": 300,
            "latency": 0.3,
            "finish_reason": "stop",
            "cluster": None,
        }
        yield json.dumps(row) + "\n"
