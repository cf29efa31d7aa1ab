"""A run configuration or a command line of nemo-evaluator (eval-factory) as an Evalfile.

It is read as a launcher's configuration with one task, for an endpoint that runs already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.migration.arguments import POSITIONAL, read_arguments, read_pairs
from evalmake.migration.draft import Draft
from evalmake.migration.hydra import apply_overrides, build_node, merge
from evalmake.migration.launcher import translate_root
from evalmake.migration.yaml_file import Document, Node, read_document

_KEYS = ("config", "target", "framework_name", "pkg_name", "command", "metadata")
_FLAGS: Mapping[str, str] = {
    **dict.fromkeys(("eval_type", "model_id", "model_url", "model_type", "api_key_name", "output_dir"), "one"),
    **dict.fromkeys(("run_config", "overrides"), "one"),
    **dict.fromkeys(("dry_run", "debug"), "flag"),
}
_PATHS = {
    "eval_type": ("config", "type"),
    "output_dir": ("config", "output_dir"),
    "model_id": ("target", "api_endpoint", "model_id"),
    "model_url": ("target", "api_endpoint", "url"),
    "model_type": ("target", "api_endpoint", "type"),
    "api_key_name": ("target", "api_endpoint", "api_key_name"),
}
_TASK = "evaluation.tasks.0.nemo_evaluator_config."


def translate_command(words: Sequence[str], wheels: bool = False) -> Draft:
    """The Evalfile for the words after `eval-factory`."""
    root = read_arguments(words, _FLAGS, {})
    values: dict[str, Node] = root.value
    values.pop(POSITIONAL, None)
    document = Document(Node({}, root.span))
    if "run_config" in values:
        document = read_document(Path(str(values["run_config"].value)))
    whole = document.root
    if "overrides" in values:
        node = values["overrides"]
        pairs = read_pairs([str(node.value)], node)
        apply_overrides(whole, [f"++{key}={item.value}" for key, item in pairs.items()])
    for flag, steps in _PATHS.items():
        if flag in values:
            added = values[flag]
            for step in reversed(steps):
                added = Node({step: added}, values[flag].span)
            whole = merge(whole, added)
    return _translate(Document(whole, document.header), "the command line", "run", wheels)


def translate_file(document: Document, path: Path, overrides: Sequence[str], wheels: bool = False) -> Draft:
    """The Evalfile for a run configuration."""
    apply_overrides(document.root, overrides)
    return _translate(document, path.name, path.stem, wheels)


def _translate(document: Document, origin: str, title: str, wheels: bool) -> Draft:
    root = document.root
    for key, node in root.value.items():
        if key not in _KEYS:
            meant = closest_name(key, _KEYS)
            message = f"a run configuration has no key `{key}`"
            raise make_error("bad-config", message, node.span, help=[f"did you mean `{meant}`?"] if meant else [])
    config, target = root.value.get("config", Node({})), root.value.get("target", Node({}))
    kind = config.value.pop("type", None) if isinstance(config.value, dict) else None
    if kind is None:
        raise make_error("bad-config", "`config.type` does not name the evaluation", root.span)
    framework = root.value.get("framework_name")
    if framework and "." not in str(kind.value):
        kind = Node(f"{framework.value}.{kind.value}", kind.span, kind.comments, kind.remark)
    endpoint = target.value.get("api_endpoint", Node({})) if isinstance(target.value, dict) else target
    if not isinstance(endpoint.value, dict):
        raise make_error("bad-config", "`target.api_endpoint` takes a map", endpoint.span or root.span)
    task = {"name": kind, "nemo_evaluator_config": Node({"config": config, "target": Node({"api_endpoint": endpoint})})}
    if isinstance(endpoint.value, dict) and "type" in endpoint.value:
        task["endpoint_type"] = endpoint.value.pop("type")
    whole = build_node({"execution": {"type": "local"}, "deployment": {"type": "none"}})
    whole.value["target"] = Node({"api_endpoint": endpoint}, target.span, target.comments, target.remark)
    whole.value["evaluation"] = Node({"tasks": Node([Node(task, kind.span, config.comments)])})
    draft = translate_root(whole, Draft(origin, list(document.header), wheels=wheels), title)
    draft.notes = [replace(note, path=note.path.removeprefix(_TASK)) for note in draft.notes]
    return draft
