"""The part of a signed plan that says where and how jobs run: executors, secrets, and who may answer for a model.

It is no part of an identity. Whoever signs a plan signs it, too: an executor's `env` can change all that a job does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.language.values import Digest, Duration, Files, SecretRef, Size, format_value
from evalmake.planner.digest import Part
from evalmake.planner.graph import Graph, Node
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, find_reference_keys

_KEPT = (bool, int, float, str, Digest, Duration, Size, Files)
"""What a walk takes as it is; of files it takes the content, and not where they lie."""


def describe_execution(graph: Graph, node: Node) -> Part:
    """The executors of an evaluation and of its servers, its secrets by their names, and how its models are reached."""
    found: dict[str, Any] = {"executor": _describe_executor(graph.executors[node.executor])}
    for name in node.services:
        deployment = graph.deployments[name]
        executor = _describe_executor(graph.executors[deployment.block.executor])
        found[f"deployment {name}"] = {"executor": executor, **_list_secrets(deployment.block, "env")}
    for name in list_models(node):
        found[f"model {name}"] = _describe_connection(graph.models[name].block)
    found["benchmark"] = _list_secrets(node.evaluation.benchmark.block, "env")
    found["settings"] = {"seeds": list(graph.reply_caches)} if graph.reply_caches else {}
    return Part.of({key: value for key, value in found.items() if value})


def list_models(node: Node) -> tuple[str, ...]:
    """The models that an evaluation asks: the one that it measures, and those that judge the replies."""
    benchmark = node.evaluation.benchmark
    settings = benchmark.settings
    kinds = find_reference_keys(type(settings)) if settings else {}
    judges = (getattr(settings, key) for key, kind in kinds.items() if kind == "model")
    own = None if benchmark.unasked else node.evaluation.model.name
    return tuple(dict.fromkeys(name for name in (own, *judges) if name))


def _describe_connection(block: Any) -> dict[str, Any]:
    """What admits a request to a model, and whom the gateway takes for its server."""
    trust = {key: value for key, value in _declared(block).items() if key in ("api_key", "ca", "verify")}
    return {**trust, **_list_secrets(block, "headers")}


def _describe_executor(executor: Declaration) -> dict[str, Any]:
    settings = _declared(executor.settings) if executor.settings else {}
    block = {key: value for key, value in _declared(executor.block).items() if key != "price"}
    return {"name": executor.name, **settings, **block}


def _declared(block: Any) -> dict[str, Any]:
    """The keys of a block that have another value than by default: a new version may have new keys."""
    fields = type(block).model_fields
    return {
        name: _to_walkable(value)
        for name, field in fields.items()
        if (value := getattr(block, name)) != field.get_default(call_default_factory=True)
    }


def _list_secrets(block: Any, key: str) -> dict[str, Any]:
    """What has a secret in a map, which no identity has, with the secret's name and never its value."""
    secrets = {name: value for name, value in getattr(block, key).items() if isinstance(value, SecretRef)}
    return {key: _to_walkable(secrets)} if secrets else {}


def _to_walkable(value: object) -> Any:
    if value is None or isinstance(value, _KEPT):
        return value
    if isinstance(value, SecretRef):
        return {"secret": value.name}
    if isinstance(value, Mapping):
        return {str(key): _to_walkable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_walkable(item) for item in value]
    return _to_walkable(_declared(value)) if isinstance(value, Block) else format_value(value)
