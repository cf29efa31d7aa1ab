"""What evaluations need of whoever runs them: secrets with values, and what the catalog says of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.language.source import Span
from evalmake.language.values import SecretRef
from evalmake.planner.graph import Node
from evalmake.project import catalog
from evalmake.project.declarations import Declaration
from evalmake.project.project import Project
from evalmake.project.references import find_judge
from evalmake.run.secrets import Secrets


def secrets_of(project: Project, node: Node) -> dict[str, Span]:
    """The secrets of an evaluation, its servers and its judge, each with a place that names it."""
    cell = node.evaluation
    places, wanted = [cell.variant.block.executor], {}
    for model in (cell.model, find_judge(project, cell.benchmark)):
        if model is None:
            continue
        if model.block.api_key:
            wanted[model.block.api_key.name] = model.fields.spans["api_key",].value
        wanted |= _secret_places(model, "headers")
        if model.block.deployment:
            deployment = project.deployments[model.block.deployment]
            places.append(deployment.block.executor)
            wanted |= _secret_places(deployment, "env")
    for place in places:
        executor = project.executors[place]
        wanted |= _secret_places(executor, "env")
        for key in type(executor.settings).model_fields if executor.settings else ():
            if isinstance(value := getattr(executor.settings, key), SecretRef):
                wanted[value.name] = executor.fields.spans[key,].value
    return wanted


def _secret_places(declared: Declaration, field: str) -> dict[str, Span]:
    spans = declared.fields.spans
    return {
        value.name: spans.get((field, key), spans[field,]).value
        for key, value in getattr(declared.block, field).items()
        if isinstance(value, SecretRef)
    }


def unset(project: Project, nodes: Iterable[Node]) -> list[str]:
    """The secrets that evaluations need, and that have no value here."""
    return Secrets().missing_names(dict.fromkeys(name for node in nodes for name in secrets_of(project, node)))


def unmet(project: Project, nodes: Iterable[Node]) -> dict[str, list[str]]:
    """What public benchmarks require and are not given, each with those that require it."""
    found: dict[str, list[str]] = {}
    told: set[tuple[str, str]] = set()
    for node in nodes:
        benchmark, place = node.evaluation.benchmark, node.evaluation.variant.block.executor
        if (benchmark.name, place) in told:
            continue
        told.add((benchmark.name, place))
        env = project.executors[place].block.env
        for variable in catalog.missing_requirements(benchmark.fields.values, env):
            lack = f"{variable} in the `env` of executor `{place}`" if variable else "`judge = MODEL`"
            found.setdefault(lack, []).append(benchmark.name)
    return found
