"""`python -m tests.benchmarks`: evalmake beside ninja and GNU make, in one run on one machine.

`python -m tests.benchmarks gateway` compares the gateway with other proxies instead (gateway.py),
`python -m tests.benchmarks containers` the ways to run evaluations in containers (containers.py),
`python -m tests.benchmarks slurm` many jobs on a Slurm with as many calls of sbatch (slurm.py), and
`python -m tests.benchmarks statistics` coverage and width of intervals with other methods (statistics.py).
`python -m tests.benchmarks comparison` times `evalmake compare` with many samples (comparison.py),
`python -m tests.benchmarks samples` looks through many samples with `evalmake results` (samples.py), and
`python -m tests.benchmarks rescoring` scores many stored replies again by other scorers (rescoring.py).

The same graph for each (graphs.py): N cells over N/10 config files, one model file, one report.
Every figure is of whole processes: least / median wall time, and the most memory one of them took.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.benchmarks import graphs, servers
from tests.benchmarks.measure import Timing, timed

OTHERS = {
    "gateway": "compare proxies",
    "containers": "compare runs in containers",
    "slurm": "count calls of Slurm",
    "statistics": "simulate intervals",
    "comparison": "time evalmake compare",
    "samples": "look through samples",
    "rescoring": "score stored replies again",
}
"""What is measured instead of builds: a module of this package each, and what it does."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, and how it is told what."""

    name: str
    null: tuple[str, ...]
    dry: tuple[str, ...]
    cold: tuple[str, ...]
    write: Callable[[Path, int], None]
    record: Callable[[Path, int], None]


def tools() -> Iterator[Tool]:
    """Those that are installed."""
    own = graphs.evalmake()
    yield Tool(
        "evalmake",
        (own,),
        (own, "-n"),
        (own, "-s"),
        graphs.evalmake_graph,
        lambda folder, _: graphs.record_evalmake(folder),
    )
    if shutil.which("ninja"):
        yield Tool(
            "ninja",
            ("ninja",),
            ("ninja", "-n"),
            ("ninja", "--quiet"),
            graphs.ninja_graph,
            graphs.record_ninja,
        )
    if shutil.which("make"):
        yield Tool(
            "make",
            ("make",),
            ("make", "-n"),
            ("make", "-s", f"-j{graphs.CORES}"),
            graphs.make_graph,
            graphs.record_make,
        )


def main() -> int:
    """Measure what is asked for, and print."""
    options = _options()
    measure: Callable[[argparse.Namespace], int] = options.measure
    return measure(options)


def _builds(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="evalmake-bench-") as scratch:
        root = Path(scratch)
        _starts(root, options.runs)
        for cells in options.cells:
            for tool in tools():
                _measure(tool, root / f"{tool.name}-{cells}", cells, options)
        if not options.no_servers:
            for name, value in servers.rates(root / "servers"):
                print(f"{name:<40} {value}", flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--cells", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--cold", type=int, default=1000, help="cold runs up to so many cells")
    parser.add_argument("--runs", type=int, default=7, help="of each short command")
    parser.add_argument("--no-servers", action="store_true", help="leave the request rates out")
    parser.set_defaults(measure=_builds)
    others = parser.add_subparsers(title="instead of that")
    for name, purpose in OTHERS.items():
        other = others.add_parser(name, help=purpose)
        if name in sys.argv:  # only what is asked for needs its packages
            module = import_module(f"tests.benchmarks.{name}")
            other.description = module.__doc__
            module.add_options(other)
    return parser.parse_args()


def _starts(root: Path, runs: int) -> None:
    python = str(Path(graphs.evalmake()).parent / "python")
    _row("", "python -c pass", timed([python, "-c", "pass"], root, runs))
    _row("", "evalmake --help", timed([graphs.evalmake(), "--help"], root, runs))


def _measure(tool: Tool, folder: Path, cells: int, options: argparse.Namespace) -> None:
    folder.mkdir()
    tool.write(folder, cells)
    runs = options.runs if cells <= 10_000 else max(3, options.runs // 2)
    what = f"{cells} cells"
    if cells <= options.cold:
        cold = timed(tool.cold, folder, 1)
        _row(what, f"{tool.name} cold", cold, f"{cold.least / cells * 1000:.1f} ms a job")
    tool.record(folder, cells)
    _row(what, f"{tool.name} nothing to do", timed(tool.null, folder, runs))
    _row(what, f"{tool.name} dry run, nothing changed", timed(tool.dry, folder, runs))
    config = folder / "conf_0.json"
    config.write_text('{"task": "changed"}\n')
    _row(what, f"{tool.name} dry run, one input changed", timed(tool.dry, folder, runs))
    shutil.rmtree(folder)


def _row(cells: str, what: str, timing: Timing, more: str = "") -> None:
    memory = "" if timing.memory is None else f"{timing.memory:.0f} MB"
    print(f"{cells:>12}  {what:<40} {timing!s:>20} {memory:>8}  {more}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
