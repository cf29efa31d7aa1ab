"""What public benchmarks require of you, as the catalog lists it: a judge, or a variable with a key.

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
            what = f"{variable} in the `env` of executor `{executor}`" if variable else "`judge = MODEL`"
            found.setdefault(what, []).append(benchmark.name)
    return found
