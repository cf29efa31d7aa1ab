"""A `nemo_evaluator_config`, or a run configuration of nemo-evaluator: what it says of requests and of a benchmark."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.values import SecretRef
from evalmake.migration.adapter_settings import AdapterSettings
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Draft, Item, write_seconds
from evalmake.migration.yaml_file import Node

_PARAMS = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}
_GATEWAY_PATIENCE = 600
"""How many seconds a model may be silent unless an adapter says otherwise."""
_ROUTES = ("/chat/completions", "/completions", "/embeddings")


@dataclass(slots=True)
class RunSettings:
    """The same in evalmake's words, by the declarations that the keys belong to."""

    params: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=dict)
    benchmark: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    limit: Item | None = None
    parallelism: Item | None = None
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """The model that `extra.judge` names: its address, its name, and the variable with its key."""

    url: str
    name: str
    key: str = ""
    node: Node | None = None

    @property
    def deployment(self) -> str:
        """The auxiliary deployment that the launcher would put in for the URL; empty if it is a URL."""
        found = re.match(r"auxiliary_deployments\.(\w+)\.", self.url)
        return found[1] if found else ""


def read_run_settings(configuration: Configuration, draft: Draft, path: str) -> RunSettings:
    """Read the configuration at a path."""
    found = RunSettings()
    params = f"{path}.config.params"
    for theirs, ours in _PARAMS.items():
        if (item := _item(configuration, draft, f"{params}.{theirs}")) is not None:
            found.params[ours] = item
    found.limit = _read_limit(configuration, draft, f"{params}.limit_samples")
    found.parallelism = _item(configuration, draft, f"{params}.parallelism")
    if (inner := _item(configuration, draft, f"{params}.task")) is not None:
        found.benchmark["inner"] = inner
    found.adapter = AdapterSettings(configuration, draft, f"{path}.target.api_endpoint.adapter_config").read()
    if (tries := _item(configuration, draft, f"{params}.max_retries")) is not None:
        found.adapter["retry"] = tries
    if (stream := _item(configuration, draft, f"{path}.target.api_endpoint.stream")) is not None and stream.value:
        found.benchmark["stream"] = stream
    if (timeout := _item(configuration, draft, f"{params}.request_timeout")) is not None:
        found.benchmark["request_timeout"] = Item(int(timeout.value), timeout.node)
        if timeout.value > _GATEWAY_PATIENCE:
            found.adapter["timeout"] = write_seconds(timeout.value)
    _read_extra(configuration, draft, f"{params}.extra", found)
    _note_the_rest(configuration, draft, path)
    return found


def strip_route(url: str) -> str:
    """The base URL of an endpoint."""
    for route in _ROUTES:
        if url.rstrip("/").endswith(route):
            return url.rstrip("/").removesuffix(route)
    return url


def _item(configuration: Configuration, draft: Draft, path: str) -> Item | None:
    node = configuration.find(path)
    return Item(draft.resolve(configuration.read(node, path)), node) if node else None


def _read_limit(configuration: Configuration, draft: Draft, path: str) -> Item | None:
    item = _item(configuration, draft, path)
    if item is not None and isinstance(item.value, float) and not item.value.is_integer():
        draft.note(path.rpartition(".")[2], "a limit is a number of items, not a share of them", item.node)
        return None
    return Item(int(item.value), item.node) if item is not None else None


def _read_extra(configuration: Configuration, draft: Draft, path: str, found: RunSettings) -> None:
    for key, node in configuration.items(path):
        value = draft.resolve(configuration.read(node, f"{path}.{key}"))
        if key == "judge" and isinstance(value, dict) and value.get("url") and value.get("model_id"):
            variable = str(value.pop("api_key", "") or value.pop("api_key_name", "") or "")
            if variable and not re.fullmatch(r"[A-Z][A-Z0-9_]*", variable):
                draft.note("extra.judge.api_key", "a secret is not copied: set JUDGE_API_KEY, or name another", node)
                variable = "JUDGE_API_KEY"
            found.judge = Judge(str(value.pop("url")), str(value.pop("model_id")), variable, node)
        if value != {}:
            found.extra[key] = Item(value, node)


def _note_the_rest(configuration: Configuration, draft: Draft, path: str) -> None:
    reasons = {
        "config.output_dir": "outputs are in the store",
    }
    for key, why in reasons.items():
        if node := configuration.find(f"{path}.{key}"):
            draft.note(key, why, node.use())


def merge_extra(catalog: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The entries of `extra` that a benchmark of the catalog needs: a map in it is replaced as a whole."""
    merged: dict[str, Any] = {}
    for key, item in own.items():
        value, below = item.value if isinstance(item, Item) else item, catalog.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = Item(_merge_maps(below, value), item.node if isinstance(item, Item) else None)
        elif value != below:
            merged[key] = item
    return merged


def _merge_maps(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _merge_maps(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def read_variable(name: str, raw: Any) -> Any:
    """A variable of the environment as the launcher writes it: `host:X`, `lit:text`, `runtime:X`, or an older form."""
    text = str(raw)
    prefix, colon, rest = text.removeprefix("$").partition(":")
    if colon and prefix in ("host", "runtime"):
        return _name_variable(rest)
    if colon and prefix == "lit":
        return rest
    if re.fullmatch(r"\$?[A-Z][A-Z0-9_]*", text):
        return _name_variable(text.removeprefix("$"))
    return text


def _name_variable(name: str) -> Any:
    return SecretRef(name)
