"""What public benchmarks require of you, and whom they ask by themselves, as the catalog lists it.

The catalog is not always right, so this is a note and never an error.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.planner.graph import Node
from evalmake.preflight.context import first_of_each
from evalmake.project import catalog
from evalmake.project.project import Project


def missing_catalog_requirements(project: Project, nodes: Iterable[Node]) -> dict[str, list[str]]:
    """What is required and not given -> the benchmarks that require it."""
    found: dict[str, list[str]] = {}
    for node in first_of_each(nodes, lambda n: (n.evaluation.benchmark.name, n.executor)):
        benchmark, executor = node.evaluation.benchmark, node.executor
        held = getattr(project.executors[executor].settings, "secrets", {})
        env = {**held, **project.executors[executor].block.env, **benchmark.block.env}
        for variable in catalog.missing_requirements(benchmark.fields.values, env):
            found.setdefault(f"{variable} in the `env` of executor `{executor}`", []).append(benchmark.name)
    return found


def find_endpoints_past_the_gateway(nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Whom harnesses ask by themselves: without evalmake's cache and counts -> the benchmarks that do."""
    found: dict[str, list[str]] = {}
    for node in first_of_each(nodes, lambda n: n.evaluation.benchmark.name):
        benchmark = node.evaluation.benchmark
        if benchmark.block.harness == "nemo":
            for asked in catalog.find_other_endpoints(benchmark.fields.values):
                found.setdefault(asked, []).append(benchmark.name)
    return found
