"""The check that executors have the GPUs that evaluations and their servers need at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor
from evalmake.project.project import Project
from evalmake.run.gpu_allocation import GpuAllocation


def count_gpus(node: Node, project: Project) -> Counter[str]:
    """The GPUs that an evaluation needs at once, by executor: its own job's and its servers'."""
    blocks = [node.evaluation.variant.block]
    blocks += [project.deployments[name].block for name in node.services]
    found: Counter[str] = Counter()
    for block in blocks:
        found[block.executor] += block.resources.gpus or 0
    return found


def check_gpus(nodes: Iterable[Node], project: Project, executors: Mapping[str, Executor]) -> None:
    """EvalmakeError where an evaluation needs more GPUs at once than an executor has."""
    found, gpus, reported = Diagnostics(), GpuAllocation(executors), set()
    for node in nodes:
        for executor, count in count_gpus(node, project).items():
            available = gpus.count(executor)
            key = (node.services, id(node.evaluation.variant), executor)
            if available is None or count <= available or key in reported:
                continue
            reported.add(key)
            who = [project.deployments[name] for name in node.services]
            takers = [one for one in who if one.block.executor == executor and one.block.resources.gpus]
            places = [
                (one.fields.spans["resources",].value, f"`{one.name}` takes {one.block.resources.gpus}")
                for one in takers
            ]
            found.error(
                "executor-lacks",
                f"executor `{executor}` has {_describe_count(available)}, and {node.name} needs {count} at once",
                project.executors[executor].span,
                also=places,
                about=f"eval {node.evaluation.eval}",
            )
    found.check()


def _describe_count(gpus: int) -> str:
    return f"{gpus or 'no'} GPU{'s' * (gpus != 1)}"
