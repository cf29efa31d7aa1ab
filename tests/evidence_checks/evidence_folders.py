"""Evidence folders for tests: sources that are collected, and opened where nothing else is left."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalmake.evidence_checks.sources import collect_sources, open_sources
from evalmake.planner.graph import Graph
from evalmake.planning import make_plan
from evalmake.project.command_words import Words
from evalmake.project.targets import Selection, select_targets
from evalmake.workspace import Workspace


def select(workspace: Workspace, words: Words | None = None) -> Selection:
    """What words name; everything without any."""
    return select_targets(workspace.project, workspace.cells, words.targets if words else ())


def identities(workspace: Workspace, graph: Graph) -> dict[str, str]:
    """Every digest of a graph, and that of its plan in an empty store."""
    with workspace.read_store() as store:
        plan = make_plan(workspace, graph, store, forced=True)
    nodes = {node.name: node.action.digest for node in graph.nodes.values()}
    shown = {f"{name}: {node.name}": node.action.digest for name, r in graph.reports.items() for node in r.nodes}
    servers = {f"deployment {name}": action.digest for name, action in graph.services.items()}
    return {**nodes, **shown, **servers, **graph.sources, "plan": plan.digest}


@dataclass
class EvidenceFolder:
    """The folder, and what the graph was that it was collected from."""

    path: Path
    scratch: Path
    expected: dict[str, str]

    def open(self) -> tuple[Workspace, Graph]:
        """Open it."""
        return open_sources(self.path, self.scratch)

    def check(self) -> None:
        """Assert that it gives the very same graph."""
        assert identities(*self.open()) == self.expected

    def names(self) -> set[str]:
        """The files in `sources`, as `/`-separated paths."""
        sources = self.path / "sources"
        return {path.relative_to(sources).as_posix() for path in sources.rglob("*") if not path.is_dir()}

    def inputs(self) -> dict[str, Any]:
        """What `inputs.json` says."""
        found: dict[str, Any] = json.loads((self.path / "inputs.json").read_text())
        return found

    def change(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change `inputs.json`."""
        inputs = self.inputs()
        edit(inputs)
        (self.path / "inputs.json").write_text(json.dumps(inputs))


def leave(
    root: Path,
    tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
    evalfile: str = "Evalfile",
    *words: str,
    with_data: bool = True,
    clear: bool = True,
) -> EvidenceFolder:
    """Collect the sources of an Evalfile in `root`; then delete `root`, empty the environment and go elsewhere."""
    with monkeypatch.context() as patched:
        patched.chdir(root)
        given = Words.of(words)
        workspace = Workspace.open(Path(evalfile), given.overrides)
        graph = workspace.unchecked_graph_of(select(workspace, given))
        sources = collect_sources(workspace, graph, with_data)
        folder = tmp / "evidence"
        folder.mkdir()
        sources.write(folder)
        expected = identities(workspace, graph)
    if clear:
        shutil.rmtree(root)
    elsewhere = tmp / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for name in os.environ:
        if name not in ("HOME", "PATH", "TMPDIR") and not name.startswith(("PYTEST", "COV")):
            monkeypatch.delenv(name)
    return EvidenceFolder(folder, tmp / "scratch", expected)
