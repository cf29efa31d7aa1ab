"""A specification of Inspect Flow, as YAML, as an Evalfile.

A value of a task beats that of `defaults.task_prefix`, the longest first, and that the one of `defaults.task`; so it
is with models. Generation settings are merged key by key: `defaults.config`, the task's, the model's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.values import Symbol
from evalmake.migration.draft import Draft, Expression, Item, guard_secret, write_seconds
from evalmake.migration.inspect_blocks import NO_PLACE, NOWHERE, PARAMS, TASK, set_axis, write_benchmark, write_model
from evalmake.migration.yaml_file import Document, Node

KEYS = ("log_dir", "options", "dependencies", "store", "includes", "execution_type", "flow_metadata")
"""Keys by which a specification is known."""
_PARAMS = {theirs.replace("-", "_"): ours for theirs, ours in PARAMS.items()} | {"logprobs": "logprobs"}
_ADAPTER = ("system_message", "max_retries", "timeout", "attempt_timeout", "extra_body", "extra_headers", "stop_seqs")
_CONFIG = (*_PARAMS, *_ADAPTER, "seed", "max_connections")
_TASK = ("name", "factory", "args", "model", "config", "epochs", "sandbox", "model_roles", "headline_metric")
_MODEL = ("name", "base_url", "api_key", "config", "model_args")
_PINNED = ("inspect-ai", "inspect-evals", "openai")
_DECIDED = "evalmake decides it"
_WHY: Mapping[str, str] = {
    **{key.replace("-", "_"): why for key, why in NO_PLACE.items()},
    **dict.fromkeys(("store", "log_dir_allow_dirty", "log_dir_create_unique"), "results are in the store"),
    **dict.fromkeys(("execution_type", "instantiate", "memoize", "retry_cleanup", "log_realtime"), _DECIDED),
    **dict.fromkeys(("auto_detect_dependencies", "dependency_file", "uv_sync_args"), "`packages` of the benchmark"),
    **dict.fromkeys(("scorer", "checkpoint", "early_stopping", "extra_args", "review", "version"), TASK),
    "score_on_error": "`coverage` says how many must succeed",
    "includes": "it is not read: `flow config FILE > flow.yaml` writes both as one",
    "python_version": "`python` of an executor, or an image",
    "role": "`judge` of a benchmark names the grader",
}
_Map = dict[str, Node]


def translate_file(document: Document, path: Path) -> Draft:
    """The Evalfile for a specification."""
    draft = Draft(path.name, list(document.header))
    _Flow(_read_map(document.root, "the file"), draft, path.stem).translate(document.root)
    return draft


@dataclass(slots=True)
class _Flow:
    root: _Map
    draft: Draft
    title: str
    _names: dict[str, str] = field(default_factory=dict)  # of models and benchmarks, by what they are
    _noted: set[int] = field(default_factory=set)  # nodes, as a default is read for each task

    def translate(self, place: Node) -> None:
        tasks = self.root.get("tasks")
        if tasks is None or not isinstance(tasks.value, list) or not tasks.value:
            raise make_error("bad-config", "`tasks` lists no task", (tasks or place).span)
        self._note_settings()
        groups: dict[str, list[tuple[str, str]]] = {}
        settings: dict[str, dict[str, Any]] = {}
        for at, node in enumerate(tasks.value):
            model, benchmark, keys = self._read_task(node, f"tasks.{at}")
            group = json.dumps(_to_plain(keys), sort_keys=True, default=str)
            groups.setdefault(group, []).append((model, benchmark))
            settings.setdefault(group, keys)
        for group, pairs in groups.items():
            for models, benchmarks in _to_products(pairs):
                block = self.draft.block("eval", self.draft.name("eval", self.title))
                set_axis(block, "model", models)
                set_axis(block, "benchmark", benchmarks)
                for key, value in settings[group].items():
                    block.set(key, value)
                block.set("timeout", Expression("7d"))

    def _section(self, *path: str) -> _Map:
        """A map of the specification; empty where it is not given."""
        items = self.root
        for key in path:
            items = _read_map(items[key], key) if key in items else {}
        return items

    def _note_settings(self) -> None:
        """Note what has no place among the settings that are not about one task."""
        known: tuple[str, ...] = ("tasks", "defaults", "options", "dependencies", "env")
        self._note(self.root, "", known)
        self._note(self._section("options"), "options.", ("limit", "sandbox", "sample_shuffle"))
        self._note(self._section("dependencies"), "dependencies.", ("additional_dependencies",))
        defaults = self._section("defaults")
        self._note(defaults, "defaults.", ("config", "task", "task_prefix", "model", "model_prefix"), TASK)
        self._note(self._section("defaults", "config"), "defaults.config.", _CONFIG)
        for kind, known in (("task", _TASK), ("model", _MODEL)):
            self._note(self._section("defaults", kind), f"defaults.{kind}.", known)
            for prefix, node in self._section("defaults", f"{kind}_prefix").items():
                self._note(_read_map(node, prefix), f"defaults.{kind}_prefix.{prefix}.", known)
        shuffle = self._section("options").get("sample_shuffle")
        if shuffle and not isinstance(shuffle.value, bool):
            self.draft.note("options.sample_shuffle", "samples are shuffled by the eval's `seed`", shuffle)

    def _note(self, items: _Map, path: str, known: Iterable[str], otherwise: str = NOWHERE) -> None:
        for key, node in items.items():
            if key not in known and id(node) not in self._noted:
                self._noted.add(id(node))
                self.draft.note(f"{path}{key}", _WHY.get(key, otherwise), node)

    # One task -----------------------------------------------------------------------------------

    def _read_task(self, node: Node, path: str) -> tuple[str, str, dict[str, Any]]:
        """The names of a task's model and benchmark, and the keys of its eval."""
        task = _read_entry(node)
        name = task.get("name") or task.get("factory")
        if name is None or not isinstance(name.value, str):
            raise make_error("bad-config", "a task has no `name`", node.span)
        task = self._fill(task, "task", name.value)
        self._note(task, f"{path}.", _TASK)
        if "model" not in task:
            hint = "give the task a `model`, or all of them: `defaults.task.model`"
            raise make_error("bad-config", f"`{name.value}` names no model", node.span, help=[hint])
        model = self._fill_model(task["model"])
        self._note(model, f"{path}.model.", _MODEL)
        config = self._section("defaults", "config")
        for owner in (task, model):
            config = config | (_drop_nulls(_read_map(owner["config"], "config")) if "config" in owner else {})
        self._note(config, f"{path}.config.", _CONFIG)
        keys = self._read_keys(config)
        return self._write_model(model, config), self._write_benchmark(name.value, task, path, node), keys

    def _fill(self, items: _Map, kind: str, name: str) -> _Map:
        """What is given, with the defaults for what is not."""
        prefixes = self._section("defaults", f"{kind}_prefix")
        fitting = sorted((one for one in prefixes if name.startswith(one)), key=len)
        found = dict(self._section("defaults", kind))
        for prefix in fitting:
            found |= _read_map(prefixes[prefix], prefix)
        return _drop_nulls(found | items)

    def _fill_model(self, node: Node) -> _Map:
        model = _read_entry(node)
        name = model.get("name")
        if name is None or not isinstance(name.value, str):
            raise make_error("bad-config", "a model has no `name` such as `openai/gpt-4o`", node.span)
        return self._fill(model, "model", name.value)

    def _write_model(self, model: _Map, config: Mapping[str, Node]) -> str:
        arguments = _read_map(model["model_args"], "model_args") if "model_args" in model else {}
        arguments |= {"api_key": model["api_key"]} if "api_key" in model else {}
        address, concurrency = _item(model.get("base_url")), _item(config.get("max_connections"))
        name = model["name"]

        def write() -> str:
            words = ("base_url:", "model_args")
            return write_model(self.draft, str(name.value), address, arguments, concurrency, name, words)

        return self._once(["model", name.value, arguments, address, concurrency], write)

    def _write_benchmark(self, name: str, task: _Map, path: str, place: Node) -> str:
        options = self._section("options")
        sandbox = task.get("sandbox") or options.get("sandbox")
        keys: dict[str, Any] = {
            "epochs": self._read_epochs(task, path),
            "task_args": _read_map(task["args"], "args") and task["args"].plain() if "args" in task else None,
            "shuffle": True if "sample_shuffle" in options and options["sample_shuffle"].value is not False else None,
            "sandbox": _join_sandbox(sandbox) if sandbox else None,
            "judge": self._read_grader(task, path),
            "metric": _read_metric(task["headline_metric"]) if "headline_metric" in task else None,
            "env": self._read_variables(),
        }
        packages = self._read_packages()
        kept = {key: value for key, value in keys.items() if value is not None}
        return self._once([name, kept], lambda: write_benchmark(self.draft, name, kept, packages, place))

    def _once(self, what: list[Any], write: Any) -> str:
        """The name of what is written, once for all that are the same."""
        key = json.dumps(_to_plain(what), sort_keys=True, default=str)
        if key not in self._names:
            self._names[key] = write()
        return self._names[key]

    def _read_epochs(self, task: _Map, path: str) -> Item | None:
        epochs = task.get("epochs")
        if epochs is not None and isinstance(epochs.value, dict):
            self._note(epochs.value, f"{path}.epochs.", ("epochs",), _WHY["epochs_reducer"])
            epochs = epochs.value.get("epochs")
        return _item(epochs)

    def _read_grader(self, task: _Map, path: str) -> Symbol | None:
        roles = _read_map(task["model_roles"], "model_roles") if "model_roles" in task else {}
        self._note(roles, f"{path}.model_roles.", ("grader",), "evalmake knows one role, the grader: `judge`")
        if "grader" not in roles:
            return None
        node = roles["grader"]
        if isinstance(node.value, list):
            raise make_error("bad-config", "evalmake asks one grader: name one of them", node.span)
        grader = self._fill_model(node) if isinstance(node.value, dict) else _read_entry(node)
        self._note(grader, f"{path}.model_roles.grader.", ("name", "base_url", "api_key", "model_args"))
        return Symbol(self._write_model(grader, {}))

    def _read_variables(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, node in self._section("env").items():
            secret = guard_secret(name, str(node.value))
            if secret:
                self.draft.note(f"env.{name}", f"a secret is not copied: set {secret.name}", node)
            found[name] = secret or Item(node.plain(), node)
        return found

    def _read_packages(self) -> list[str]:
        node = self._section("dependencies").get("additional_dependencies")
        given = [] if node is None else node.plain() if isinstance(node.value, list) else [node.value]
        packages = []
        for package in map(str, given):
            if re.split(r"[^A-Za-z0-9._-]", package)[0].lower().replace("_", "-") in _PINNED:
                why = f"`packages` of the benchmarks name another version of `{package}`"
                self.draft.note("dependencies.additional_dependencies", why, node)
            else:
                packages.append(package)
        return packages

    # Keys of an eval ----------------------------------------------------------------------------

    def _read_keys(self, config: Mapping[str, Node]) -> dict[str, Any]:
        params: dict[str, Any] = {ours: _item(config[key]) for key, ours in _PARAMS.items() if key in config}
        if stop := config.get("stop_seqs"):
            params["stop"] = Item(stop.plain(), stop)
        return {
            "seed": _item(config.get("seed")),
            "limit": self._read_limit(),
            "params": params,
            "adapter": self._read_adapter(config),
        }

    def _read_limit(self) -> Item | None:
        node = self._section("options").get("limit")
        if node is None or isinstance(node.value, int):
            return _item(node)
        first, last = ([*node.plain(), None, None] if isinstance(node.value, list) else (None, None))[:2]
        if first == 0 and isinstance(last, int):
            return Item(last, node)
        self.draft.note("options.limit", "a limit counts from the first item", node)
        return None

    def _read_adapter(self, config: Mapping[str, Node]) -> dict[str, Any]:
        adapter = {
            ours: _item(config[key])
            for key, ours in (("system_message", "system"), ("max_retries", "retry"))
            if key in config
        }
        found: dict[str, Any] = {**adapter}
        if timeout := config.get("attempt_timeout") or config.get("timeout"):
            if not isinstance(timeout.value, int | float):
                raise make_error("bad-config", "`timeout` takes a number of seconds", timeout.span)
            found["timeout"] = write_seconds(float(timeout.value))
        for key, ours in (("extra_body", "params"), ("extra_headers", "headers")):
            given = _read_map(config[key], key) if key in config else {}
            kept = {name: node for name, node in given.items() if not guard_secret(name, str(node.value))}
            for name in given.keys() - kept.keys():
                why = "a secret is not copied: `headers` of a model take one"
                self.draft.note(f"config.{key}.{name}", why, given[name])
            if kept:
                found[ours] = {name: node.plain() for name, node in kept.items()}
        return found


def _to_products(pairs: list[tuple[str, str]]) -> list[tuple[list[str], list[str]]]:
    """Pairs of a model and a benchmark as products: one, if they are all that there are, else one for each model."""
    models, benchmarks = (list(dict.fromkeys(names)) for names in zip(*pairs, strict=True))
    if len(set(pairs)) == len(models) * len(benchmarks):
        return [(models, benchmarks)]
    return [([model], list(dict.fromkeys(b for m, b in pairs if m == model))) for model in models]


def _read_map(node: Node, key: str) -> _Map:
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise _refuse(f"`{key}` takes a map", node)
    return dict(node.value)


def _read_entry(node: Node) -> _Map:
    """A task or a model: a map, or its name alone."""
    return {"name": node} if isinstance(node.value, str) else _drop_nulls(_read_map(node, "tasks"))


def _drop_nulls(items: Mapping[str, Node]) -> _Map:
    return {key: node for key, node in items.items() if node.value is not None}


def _item(node: Node | None) -> Item | None:
    """A plain value with its place."""
    if node is None:
        return None
    if isinstance(node.value, dict | list):
        raise _refuse("this takes one value, not several", node)
    return Item(node.value, node)


def _join_sandbox(node: Node) -> str:
    """`docker`, or `docker:compose.yaml`, in Inspect's words."""
    if isinstance(node.value, dict):
        parts = [node.value[key].value for key in ("type", "config") if key in node.value]
    else:
        parts = node.plain() if isinstance(node.value, list) else [node.value]
    return ":".join(map(str, parts))


def _read_metric(node: Node) -> str:
    if not isinstance(node.value, dict):
        return str(node.value)
    return "/".join(str(node.value[key].value) for key in ("scorer", "metric") if key in node.value)


def _to_plain(value: Any) -> Any:
    """A value without its places, to be compared."""
    match value:
        case Item():
            return _to_plain(value.value)
        case Node():
            return value.plain()
        case Mapping():
            return {key: _to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_to_plain(item) for item in value]
    return value


def _refuse(message: str, node: Node) -> EvalmakeError:
    return make_error("bad-config", message, node.span)
