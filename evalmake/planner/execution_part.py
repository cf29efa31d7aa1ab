"""The part of a signed plan that says where and how jobs run: executors, and which secrets jobs are given.

It is no part of an identity. Whoever signs a plan signs it, too: an executor's `env` can change all that a job does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.language.values import Digest, Duration, Files, SecretRef, Size, format_value
from evalmake.planner.digest import Part
from evalmake.planner.graph import Graph, Node
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block

_KEPT = (bool, int, float, str, Digest, Duration, Size, Files)
"""What a walk takes as it is; of files it takes the content, and not where they lie."""


def describe_execution(graph: Graph, node: Node) -> Part:
    """The executors of an evaluation and of its servers, and the names of the secrets in their variables."""
    servers = {name: graph.deployments[name] for name in node.services}
    found: dict[str, Any] = {"executor": _describe_executor(graph.executors[node.executor])}
    for name, deployment in servers.items():
        executor = _describe_executor(graph.executors[deployment.block.executor])
        found[f"deployment {name}"] = {"executor": executor, **_list_secrets(deployment)}
    found["benchmark"] = _list_secrets(node.evaluation.benchmark)
    return Part.of(found)


def _describe_executor(executor: Declaration) -> dict[str, Any]:
    settings = _declared(executor.settings) if executor.settings else {}
    return {"name": executor.name, **settings, **_declared(executor.block)}


def _declared(block: Any) -> dict[str, Any]:
    """The keys of a block that have another value than by default: a new version may have new keys."""
    fields = type(block).model_fields
    return {
        name: _to_walkable(value)
        for name, field in fields.items()
        if (value := getattr(block, name)) != field.get_default(call_default_factory=True)
    }


def _list_secrets(declaration: Declaration) -> dict[str, Any]:
    """The variables that have a secret, which no identity has, with the secret's name and never its value."""
    secrets = {key: value for key, value in declaration.block.env.items() if isinstance(value, SecretRef)}
    return {"env": _to_walkable(secrets)} if secrets else {}


def _to_walkable(value: object) -> Any:
    if value is None or isinstance(value, _KEPT):
        return value
    if isinstance(value, SecretRef):
        return {"secret": value.name}
    if isinstance(value, Mapping):
        return {str(key): _to_walkable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_walkable(item) for item in value]
    return _to_walkable(dict(value)) if isinstance(value, Block) else format_value(value)
