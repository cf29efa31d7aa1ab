"""What the checks look at: the graph of the targets, and for a build what it would run and write."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from evalmake.planner.graph import Graph, Node
from evalmake.plugin_api.executor import Capabilities, Executor
from evalmake.project.declarations import Declaration
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.run.environments.environments import Environments
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets

T = TypeVar("T")


@dataclass(slots=True)
class GraphContext:
    """The Evalfile, the graph of the chosen targets, and the installed plugins."""

    project: Project
    plugins: PluginRegistry
    graph: Graph
    locked: bool = field(default=False, kw_only=True)  # --locked

    def capabilities(self, executor: Declaration) -> Capabilities:
        """What an executor's plugin can do."""
        found: Capabilities = self.plugins.get("executors", executor.plugin).capabilities
        return found

    def servers(self, nodes: Iterable[Node] | None = None) -> list[Declaration]:
        """The deployments that `nodes` use, or else all of the graph."""
        names = self.graph.services if nodes is None else dict.fromkeys(n for node in nodes for n in node.services)
        return [self.project.deployments[name] for name in names]


@dataclass(slots=True)
class BuildContext(GraphContext):
    """Also what a build would run and write, and where it would find what that needs."""

    nodes: list[Node]  # to run; each action once
    reports: list[Declaration]  # to write
    environments: Environments
    job_builder: JobBuilder
    executor: Callable[[str], Executor]  # by its name
    secrets: Secrets
    cache: Path  # a folder for what need not be looked at twice
    detach: bool = False  # --detach


def first_of_each(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[T]:
    """The items whose key did not occur before, so that a thousand cells report one mistake once."""
    seen: set[Hashable] = set()
    for item in items:
        if (found := key(item)) not in seen:
            seen.add(found)
            yield item


def distinct_cells(nodes: Iterable[Node]) -> Iterator[Node]:
    """One node for each pairing of eval, model and benchmark: its seeds differ in nothing that is checked."""
    return first_of_each(
        nodes, lambda n: (id(n.evaluation.variant), n.evaluation.model.name, n.evaluation.benchmark.name)
    )
