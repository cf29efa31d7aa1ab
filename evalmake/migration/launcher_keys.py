"""The keys of a launcher's configuration and where they belong: for those that are misspelt or in another place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.migration.adapter_settings import ADAPTER_KEYS
from evalmake.migration.launcher_defaults import SHIPPED
from evalmake.migration.yaml_file import Node

Tree = Mapping[str, Any]
"""What is below a key: a tree, or None where names are of somebody else."""
_SETTINGS = "nemo_evaluator_config"
_PARAMS = (
    "limit_samples",
    "max_new_tokens",
    "max_retries",
    "parallelism",
    "request_timeout",
    "task",
    "temperature",
    "top_p",
    "extra",
)
_API_ENDPOINT: Tree = {
    **dict.fromkeys(("url", "model_id", "api_key_name", "type", "stream")),
    "adapter_config": dict.fromkeys(ADAPTER_KEYS),
}
_RUN: Tree = {
    "config": {"params": dict.fromkeys(_PARAMS), **dict.fromkeys(("type", "output_dir", "supported_endpoint_types"))},
    "target": {"api_endpoint": _API_ENDPOINT},
    "metadata": None,
}
TASK: Tree = {
    **dict.fromkeys(("name", "container", "endpoint_type", "env_vars", "config", "overrides", "pre_cmd", "post_cmd")),
    **dict.fromkeys(("dataset_dir", "dataset_mount_path")),
    _SETTINGS: _RUN,
}
EVALUATION: Tree = {
    **dict.fromkeys(("config", "overrides", "env_vars", "pre_cmd", "post_cmd")),
    _SETTINGS: _RUN,
    "tasks": TASK,
}


def _list_shipped(group: str, *more: str) -> Tree:
    shipped = [keys for name, keys in SHIPPED.items() if name.startswith(f"{group}/") and isinstance(keys, dict)]
    keys = [key for one in shipped for key in one]
    return dict.fromkeys([*keys, *more])


_LEPTON: Tree = {
    "evaluation_tasks": dict.fromkeys(("resource_shape", "timeout", "use_shared_storage")),
    "lepton_platform": {
        "tasks": dict.fromkeys(("node_group", "env_vars", "mounts", "image_pull_secrets", "api_tokens")),
        "deployment": dict.fromkeys(("node_group", "endpoint_readiness_timeout", "platform_defaults")),
    },
}
CONFIGURATION: Tree = {
    **dict.fromkeys(("defaults", "hydra", "auxiliary_deployments", "env_vars", "export", "metadata")),
    "execution": {
        **_list_shipped(
            "execution", "env_vars", "auto_export", "proxy", "deployment", "lepton_config", "gpus_per_node"
        ),
        **_LEPTON,
    },
    "deployment": _list_shipped(
        "deployment", "hf_model_handle", "endpoints", "lepton_config", "num_nodes", "cache_path", "pre_cmd", "command"
    ),
    "target": {"api_endpoint": {key: None for key in _API_ENDPOINT if key != "adapter_config"}},
    "evaluation": EVALUATION,
}


def check_keys(node: Node, known: Tree, where: str, problems: Diagnostics) -> None:
    """Note keys that the launcher does not know, with the nearest, or the place where each belongs."""
    for key, item in node.value.items() if isinstance(node.value, dict) else ():
        if key not in known:
            help = advise(key, known, CONFIGURATION) or f"known are {', '.join(known)}"
            problems.error("bad-config", f"{where} has no key `{key}`", item.span, help=[help])


def advise(key: str, known: Tree, whole: Tree) -> str:
    """What was probably meant by a key that has no place where `known` are; empty where that cannot be said.

    A place is told as it is called in `known`, or else in the `whole`.
    """
    for tree in (known, whole):
        if place := next(_find_places(key, tree), ""):
            return f"`{key}` belongs under `{place}`"
    meant = closest_name(key, known)
    return f"did you mean `{meant}`?" if meant else ""


def find_stray(path: str) -> tuple[str, str]:
    """The first part of a path that has no place where it stands, and what was probably meant; empty without one."""
    steps, known = path.split("."), CONFIGURATION
    whole = _RUN if _SETTINGS in steps else CONFIGURATION
    for at, step in enumerate(steps):
        if step.isdigit():
            continue
        if step not in known:
            return ".".join(steps[: at + 1]), advise(step, known, whole)
        below = known[step]
        if not isinstance(below, Mapping):
            return "", ""
        known = below
    return "", ""


def _find_places(key: str, tree: Tree, path: Sequence[str] = ()) -> Iterator[str]:
    """The maps in which a key belongs, the nearest first."""
    if path and key in tree:
        yield ".".join(path)
    for step, below in tree.items():
        if isinstance(below, Mapping):
            yield from _find_places(key, below, (*path, step))
