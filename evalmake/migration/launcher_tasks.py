"""The tasks of a launcher's configuration: each with what is said of all tasks below its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.migration.catalog_tasks import find_entry
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import NONE, Draft, Item, write_value
from evalmake.migration.hydra import merge
from evalmake.migration.launcher_variables import find_own_variable
from evalmake.migration.run_settings import RunSettings, read_run_settings
from evalmake.migration.yaml_file import Node
from evalmake.project.catalog import Entry

GLOBAL = "evaluation.nemo_evaluator_config"
_SETTINGS = "nemo_evaluator_config"
_APIS = {
    "chat": "chat",
    "vlm": "vlm",
    "completions": "completions",
    "completions_logprob": "completions",
    "embedding": "embeddings",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a task asks: the kind of its API, and where. Without a URL of its own, a deployment answers."""

    api: str
    url: Item | None
    name: Item | None
    key: Item | None

    @property
    def place(self) -> tuple[str, ...]:
        """The same for all tasks that ask the same model, whatever their API."""
        return tuple(write_value(item.value) if item else "" for item in (self.url, self.name, self.key))


@dataclass(slots=True)
class Task:
    """A task: its benchmark, what it says of requests, and its place in the file."""

    path: str
    node: Node
    title: str
    entry: Entry | None
    settings: RunSettings
    kind: str
    endpoint: Endpoint
    benchmark: str = ""


def lay_over_global(configuration: Configuration) -> None:
    """Put the settings of all tasks below those of each, key by key, as the launcher does.

    A key that a task has counts, whatever its value: `false`, 0, and null, which leaves it to the harness.
    """
    evaluation, tasks = configuration.find("evaluation"), configuration.find("evaluation.tasks")
    if evaluation is None or tasks is None or not isinstance(tasks.value, list):
        return
    common = _take_settings(evaluation)
    for at, task in enumerate(tasks.value):
        if isinstance(task.value, dict):
            task = Node(dict(task.value), task.span, task.comments, task.remark)
            task.value[_SETTINGS] = merge(common, _take_settings(task))
            tasks.value[at] = task


def _take_settings(node: Node) -> Node:
    """The settings of a task or of all of them; they may stand under the older key `config`."""
    for key in (_SETTINGS, "config"):
        found: Node | None = node.value.get(key) if isinstance(node.value, dict) else None
        if found is not None and found.value:
            if key != _SETTINGS:
                node.value[_SETTINGS] = node.value.pop(key)
            return found
    return Node({})


def read_task(configuration: Configuration, draft: Draft, at: int, node: Node) -> Task:
    """The task at a place of the list."""
    path = f"evaluation.tasks.{at}"
    name, image = configuration.get(f"{path}.name", ""), configuration.find(f"{path}.container")
    entry = find_entry(str(name), node.value.get("name", node).span, known=image is None)
    settings = read_run_settings(configuration, draft, f"{path}.{_SETTINGS}")
    if entry is not None:
        _drop_what_lacks_a_place(entry, settings, draft, path)
    kind = _read_kind(configuration, path, entry)
    endpoint = _read_endpoint(configuration, draft, path, _APIS[kind])
    return Task(path, node, str(name), entry, settings, kind, endpoint)


def _drop_what_lacks_a_place(entry: Entry, settings: RunSettings, draft: Draft, path: str) -> None:
    """Leave out a limit and a judge that the command of the task has no place for, with a note."""
    if "limit" in entry.lacks and settings.limit is not None:
        why = f"{entry.harness} has no place for it: it always asks everything"
        draft.note(f"{path}.{_SETTINGS}.config.params.limit_samples", why, settings.limit.node)
        settings.limit = None
    if "judge" in entry.lacks and settings.judge is not None:
        why = f"{entry.harness} asks no judge"
        draft.note(f"{path}.{_SETTINGS}.config.params.extra.judge", why, settings.judge.node)
        settings.judge = None


def _read_kind(configuration: Configuration, path: str, entry: Entry | None) -> str:
    for place in (f"{path}.{_SETTINGS}.target.api_endpoint.type", f"{path}.endpoint_type"):
        if kind := str(configuration.get(place) or ""):
            if kind not in _APIS:
                node, known = configuration.find(place), ", ".join(_APIS)
                message = f"there is no kind of endpoint `{kind}`"
                raise make_error("bad-config", message, node.span if node else None, notes=[f"known are {known}"])
            return kind
    return entry.endpoint if entry else "chat"


def _read_endpoint(configuration: Configuration, draft: Draft, path: str, api: str) -> Endpoint:
    """The keys of the endpoint; those of `nemo_evaluator_config` win, as in the launcher."""
    own = f"{path}.{_SETTINGS}.target.api_endpoint"
    if configuration.get("deployment.type", "none") != "none" and configuration.find(f"{own}.url") is None:
        return Endpoint(api, None, None, None)
    found: dict[str, Item] = {}
    for key in ("url", "model_id", "api_key_name"):
        for place in ("target.api_endpoint", own):
            if (node := configuration.find(f"{place}.{key}")) is not None:
                found[key] = Item(draft.resolve(configuration.read(node, f"{place}.{key}")), node)
    key_item = found.get("api_key_name")
    if key_item is not None and isinstance(key_item.value, str):
        key_item = Item(find_own_variable(configuration, path, key_item.value), key_item.node)
    return Endpoint(api, found.get("url"), found.get("model_id"), key_item)


def find_differences(common: Mapping[str, Any], own: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """What a task says otherwise than all of them.

    A key that it takes back has the value of its benchmark, `below`, or `none`.
    """
    found: dict[str, Any] = {}
    for key, item in common.items():
        if key not in own:
            found[key] = below.get(key, NONE)
        elif _write(own[key]) != _write(item):
            found[key] = own[key]
    return found


def _write(value: Any) -> str:
    return write_value(value.value if isinstance(value, Item) else value)
