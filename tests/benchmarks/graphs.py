"""One shape of graph for every tool: N cells over N/10 config files, one model file, one report."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

SEEDS = 10
CORES = os.cpu_count() or 1
JOB = 'echo \'{"accuracy": 1.0}\' > "$EVALMAKE_OUT/scores.json"'


def evalmake_graph(folder: Path, cells: int) -> None:
    """An Evalfile: a benchmark a config file, an eval over them and ten seeds, a JSON report."""
    count = _configs(folder, cells)
    (folder / "model.evalfile").write_text('model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }\n')
    names = ", ".join(f"b{i}" for i in range(count))
    blocks = [f'benchmark b{i} {{ files = file("conf_{i}.json") }}' for i in range(count)]
    text = f"""include "model.evalfile"

settings {{ cells = {max(cells, 1000)} }}

defaults benchmark {{
    harness = command
    run     = {_quoted(JOB)}
}}

{os.linesep.join(blocks)}

eval grid {{
    model     = m
    benchmark in [{names}]
    seed      in 1..{SEEDS}
}}

report all {{
    of     = [grid]
    format = json
    path   = "report.json"
}}
"""
    (folder / "Evalfile").write_text(text)


def ninja_graph(folder: Path, cells: int) -> None:
    """The same as `build.ninja`: an edge a cell, one that gathers them."""
    count = _configs(folder, cells)
    (folder / "model.json").write_text("{}")
    lines = [
        "rule cell",
        "  command = echo '{\"accuracy\": 1.0}' > $out",
        "rule all",
        "  command = cat $out.rsp | xargs cat > $out",
        "  rspfile = $out.rsp",
        "  rspfile_content = $in",
    ]
    outs = _outputs(count)
    lines += [f"build {out}: cell {config} model.json" for out, config in outs]
    lines.append(f"build report.json: all {' '.join(out for out, _ in outs)}")
    (folder / "build.ninja").write_text("\n".join([*lines, "default report.json", ""]))


def make_graph(folder: Path, cells: int) -> None:
    """The same as a Makefile."""
    count = _configs(folder, cells)
    (folder / "model.json").write_text("{}")
    outs = _outputs(count)
    lines = [f"report.json: {' '.join(out for out, _ in outs)}", "\t@cat out/*.json > $@"]
    for out, config in outs:
        lines += [f"{out}: {config} model.json", "\t@echo '{\"accuracy\": 1.0}' > $@"]
    (folder / "Makefile").write_text("\n".join([*lines, ""]))


def record_evalmake(folder: Path) -> None:
    """Put a success of every cell on record, as jobs would have, and let evalmake write its report."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        _commit_all()
    finally:
        os.chdir(here)
    for _ in range(2):  # the first writes the report, the second remembers that nothing is to be done
        subprocess.run([evalmake()], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _commit_all() -> None:
    from evalmake.planner.action import ActionResult
    from evalmake.scoring.result_set import Score
    from evalmake.workspace import Workspace

    workspace = Workspace.open(Path("Evalfile"))
    nodes = workspace.graph(()).nodes.values()
    score = Score("accuracy", 1.0, None, None, None, 1, 0)
    now = "2026-01-01T00:00:00+00:00"
    blank = ActionResult("", "", 0, "succeeded", {}, (), (score,), "accuracy", {}, now, now, 0.01, "local", "benchmark")
    files: dict[str, Path | bytes] = {"log": b"", "scores.json": b'{"accuracy": 1.0}\n'}
    with workspace.store() as store, store.database.transaction():
        for node in nodes:
            identity = {name: part.digest for name, part in node.action.parts}
            result = replace(blank, action=node.action.digest, name=node.name, identity=identity)
            store.commit(node.action, result, files)


def record_ninja(folder: Path, cells: int) -> None:
    """Let ninja make everything; its log is how it knows."""
    subprocess.run(["ninja"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def record_make(folder: Path, cells: int) -> None:
    """Write the outputs, newest last: make goes by times alone."""
    for out, _ in _outputs(max(cells // SEEDS, 1)):
        (folder / out).write_text('{"accuracy": 1.0}\n')
    (folder / "report.json").write_text("")


def evalmake() -> str:
    """The command of the environment that runs this."""
    return str(Path(sys.executable).parent / "evalmake")


def _configs(folder: Path, cells: int) -> int:
    count = max(cells // SEEDS, 1)
    (folder / "out").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        (folder / f"conf_{index}.json").write_text(f'{{"task": {index}}}\n')
    return count


def _outputs(count: int) -> list[tuple[str, str]]:
    return [
        (f"out/{index}_{seed}.json", f"conf_{index}.json") for index in range(count) for seed in range(1, SEEDS + 1)
    ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
