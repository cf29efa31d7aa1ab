"""Evaluations that take no time, each in a container: what is added by who starts them.

Sidecar one another, in one run: `docker run` by hand, evalmake, and NVIDIA's launcher. The image has a
stub in place of the harness, which leaves a valid result at once. Seconds of wall time, least /
median: from the command until the engine has started the first container, and until all results are
there; and the least of that for each evaluation, less what `docker run` takes. Needs root, Docker's
packages, and the client `docker` on the PATH.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import graphs
from tests.benchmarks.proxies import installed

sys.path.append(str(Path(__file__).parents[1]))  # where modules of tests find one another
from tests.support import docker_engine

LAUNCHER = "nemo-evaluator-launcher==0.2.6"
TASK = "lm-evaluation-harness.ifeval"  # one that the launcher knows: it looks for others' images
IMAGE, LABEL = "evalmake-test/stub:1", "evalmake.test=stub"
STUB = """\
#!/bin/sh
place=/results
while [ $# -gt 0 ]; do [ "$1" != --output_dir ] || place=$2; shift; done
cat > "$place/results.yml" <<END
command: stub
results:
  groups: {}
  tasks: {stub: {metrics: {acc: {scores: {micro: {value: 1.0, stats: {count: 1, stderr: 0.0}}}}}}}
END
"""
EVALFILE = """\
executor box {{
    backend = docker
    host    = "{host}"
    slots   = {slots}
}}
model nobody {{
    endpoint = "http://127.0.0.1:9/v1"
    name     = "nobody"
}}
benchmark stub {{
    harness = nemo
    image   = "{image}"
    task    = "stub.stub"
    adapter = {{ requests = any }}
}}
eval all {{
    model     = nobody
    benchmark = stub
    executor  = box
    seed      in 1..{count}
}}
"""
Run = Callable[[Path, int, bool], None]
"""Runs so many evaluations in a folder of its own, one after the other or all at once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds."""

    first: float
    whole: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """How much is measured."""
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 10], help="of evaluations")
    parser.add_argument("--runs", type=int, default=5, help="of each")
    parser.add_argument(
        "--launcher",
        type=Path,
        default=docker_engine.HOME / "launcher",
        help="a virtual environment with the launcher, made if need be",
    )
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Measure and print."""
    if why := docker_engine.lacking():
        print(f"no Docker engine: {why}")
        return 1
    with docker_engine.shared_engine() as engine, tempfile.TemporaryDirectory() as scratch:
        _make_image(engine.api())
        ways = {"docker run": _by_hand(engine.url), "evalmake": _evalmake(engine.url)}
        with _launcher(engine, options.launcher, Path(scratch)) as launched:
            ways |= launched
            print(f"{'':<40}{'first container':>20}{'all results':>20}{'added to each':>16}")
            for count in options.counts:
                for together in (False, True)[: min(count, 2)]:
                    taken = _rounds(engine.api(), ways, Path(scratch), count, together, options.runs)
                    _print(taken, count, together)
    return 0


def _rounds(
    api: Any, ways: Mapping[str, Run], scratch: Path, count: int, together: bool, runs: int
) -> dict[str, list[Taken]]:
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, run in ways.items():
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                taken[name].append(_timed(api, run, Path(folder), count, together))
    return taken


def _timed(api: Any, run: Run, folder: Path, count: int, together: bool) -> Taken:
    began = time.time()
    run(folder, count, together)
    ended = time.time()
    wanted = {"event": "start", "label": LABEL}
    told = api.events(since=int(began), until=int(ended) + 1, filters=wanted, decode=True)
    starts = [at for at in (one["timeNano"] / 1e9 for one in told) if at >= began]
    if len(starts) != count:
        raise RuntimeError(f"{len(starts)} containers were started for {count} evaluations")
    return Taken(min(starts) - began, ended - began)


def _print(taken: Mapping[str, list[Taken]], count: int, together: bool) -> None:
    how = "" if count == 1 else ", at once" if together else ", in turn"
    base = min(one.whole for one in taken["docker run"])
    for name, all in taken.items():
        first, whole = ([getattr(one, key) for one in all] for key in ("first", "whole"))
        added = (min(whole) - base) / count
        print(
            f"{f'{count} evaluations{how}':<24}{name:<16}{_two(first):>20}{_two(whole):>20}{added:>14.2f} s",
            flush=True,
        )


def _two(values: list[float]) -> str:
    return f"{min(values):.2f} / {statistics.median(values):.2f} s"


def _make_image(api: Any) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        entry = tarfile.TarInfo("usr/local/bin/nemo-evaluator")
        entry.size, entry.mode = len(STUB), 0o755
        tar.addfile(entry, io.BytesIO(STUB.encode()))
    made = api.create_container(docker_engine.BASE, ["true"])
    api.put_archive(made, "/", whole.getvalue())
    api.commit(made, *IMAGE.split(":"), conf={"Labels": dict([LABEL.split("=")])})
    api.remove_container(made)


def _by_hand(url: str) -> Run:
    def run(folder: Path, count: int, together: bool) -> None:
        running = []
        for at in range(count):
            results = folder / str(at)
            results.mkdir()
            argv = ["docker", "-H", url, "run", "--rm", "-v", f"{results}:/results", IMAGE]
            running.append(subprocess.Popen([*argv, "nemo-evaluator", "run_eval"]))
            if not together:
                running[-1].wait()
        if any(process.wait() for process in running):
            raise RuntimeError("docker run failed")

    return run


def _evalmake(url: str) -> Run:
    def run(folder: Path, count: int, together: bool) -> None:
        slots = count if together else 1
        text = EVALFILE.format(host=url, slots=slots, image=IMAGE, count=count)
        (folder / "Evalfile").write_text(text)
        _quietly([graphs.evalmake(), "-s"], folder)

    return run


@contextmanager
def _launcher(engine: docker_engine.Dockerd, place: Path, home: Path) -> Iterator[Mapping[str, Run]]:
    """The launcher's way, and what its task's image is while that is measured; none without it."""
    env = {
        **os.environ,
        "DOCKER_HOST": engine.url,
        "HOME": str(home),
        "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
    }
    try:
        program = str(installed(place, LAUNCHER).parent / "nemo-evaluator-launcher")
        told = json.loads(_quietly([program, "ls", "task", TASK, "--json"], home, env))
    except RuntimeError as error:
        print(f"left out, it cannot be installed: {error}")
        yield {}
        return
    image = told["tasks"][0]["container"]

    def run(folder: Path, count: int, together: bool) -> None:
        config = {
            "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
            "execution": {"output_dir": "out", "mode": "parallel" if together else "sequential"},
            "target": {"api_endpoint": {"url": "http://127.0.0.1:9/v1/chat/completions", "model_id": "m"}},
            "evaluation": {"tasks": [{"name": TASK}] * count},
        }
        (folder / "run.yaml").write_text(json.dumps(config))
        _quietly([program, "run", "--config", "run.yaml"], folder, env)
        while len(ends := [*folder.glob("out/*/*/logs/stage.exit")]) < count:
            time.sleep(0.01)
        if len([*folder.glob("out/*/*/artifacts/results.yml")]) < count:
            raise RuntimeError(f"the launcher's runs failed: {ends[0].read_text()}")

    engine.api().tag(IMAGE, *image.rsplit(":", 1))
    try:
        yield {"launcher": run}
    finally:
        engine.api().remove_image(image)


def _quietly(argv: list[str], folder: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
