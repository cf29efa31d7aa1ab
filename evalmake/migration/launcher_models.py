"""The models that the tasks of a launcher's configuration ask, and those that judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalmake.language.diagnostic import Diagnostics, make_error
from evalmake.language.values import SecretRef, Symbol
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Block, Draft, Expression, Item, guard_secret, to_name
from evalmake.migration.launcher_deployments import DeploymentReader
from evalmake.migration.launcher_executors import Executors
from evalmake.migration.launcher_tasks import Endpoint, Task
from evalmake.migration.launcher_variables import find_own_variable
from evalmake.migration.run_settings import Judge, strip_route
from evalmake.migration.yaml_file import Node
from evalmake.project.catalog import Entry, requires_judge


@dataclass(slots=True)
class ModelWriter:
    """Writes models; `deployment` is the name of the one that the configuration starts, empty without one."""

    configuration: Configuration
    draft: Draft
    executors: Executors
    deployment: str
    _judges: dict[Judge, str] = field(default_factory=dict)
    _auxiliary: dict[str, str] = field(default_factory=dict)

    def write(self, tasks: Sequence[Task], concurrency: Item | None) -> list[tuple[str, list[Task]]]:
        """A model for each place and kind of API that tasks ask; its name, and the tasks."""
        groups: dict[tuple[str, ...], list[Task]] = {}
        for task in tasks:
            groups.setdefault((task.endpoint.api, *task.endpoint.place), []).append(task)
        firsts: dict[tuple[str, ...], str] = {}
        found = []
        for members in groups.values():
            endpoint = members[0].endpoint
            apis = {task.endpoint.api for task in tasks if task.endpoint.place == endpoint.place}
            model = self._write_model(endpoint, len(apis) > 1, firsts.get(endpoint.place, ""), concurrency)
            firsts.setdefault(endpoint.place, model)
            found.append((model, members))
        return found

    def _write_model(self, endpoint: Endpoint, several: bool, first: str, concurrency: Item | None) -> str:
        deployment = "" if endpoint.url else self.deployment
        base = to_name(deployment or str(endpoint.name.value if endpoint.name else "")) or "model"
        model = self.draft.name("model", f"{base}-{endpoint.api}" if several else base)
        if first:
            block = self.draft.block("model", model, first)
        else:
            places = [self.configuration.find(path) for path in ("target", "target.api_endpoint")]
            block = self.draft.block("model", model, "", *places)
            if deployment:
                block.set("deployment", Symbol(deployment))
            else:
                self._write_endpoint(block, endpoint)
            block.set("concurrency", concurrency)
        if endpoint.api != "chat" or first:
            block.set("api", Symbol(endpoint.api))
        return model

    def _write_endpoint(self, block: Block, endpoint: Endpoint) -> None:
        url, key = endpoint.url, endpoint.key
        if url is not None:
            base = url.value if isinstance(url.value, Expression) else strip_route(str(url.value))
            block.set("endpoint", Item(base, url.node))
        block.set("name", endpoint.name)
        if key is None or not key.value or str(key.value).startswith("<"):
            return
        secret = guard_secret("target.api_endpoint.api_key_name", str(key.value))
        if secret is None:
            block.set("api_key", Item(SecretRef(str(key.value)), key.node))
            return
        bare = _without_comments(key.node)
        self.draft.withhold_comments(key.node)
        why = "it takes the name of a variable, and this is a key itself: it is not copied; set MODEL_API_KEY"
        self.draft.note("target.api_endpoint.api_key_name", why, bare)
        block.set("api_key", Item(SecretRef("MODEL_API_KEY"), bare))

    # Judges -------------------------------------------------------------------------------------

    def declare_judge(self, judge: Judge, entry: Entry | None) -> str:
        """The model that judges; the same for all tasks that name it."""
        known = replace(judge, node=None)
        if known in self._judges:
            return self._judges[known]
        name = self._judges[known] = self.draft.name("model", "judge")
        block = self.draft.block("model", name, "", judge.node)
        if judge.deployment:
            block.set("deployment", Symbol(self._read_auxiliary(judge)))
            return name
        route = str(entry.keys.get("judge_route", "")) if entry else ""
        block.set("endpoint", strip_route(judge.url.removesuffix(route) if route else judge.url))
        block.set("name", judge.name)
        if judge.key:
            block.set("api_key", SecretRef(judge.key))
        return name

    def find_judge(self, task: Task, env: dict[str, Any]) -> Judge | None:
        """The judge of a task; its key leaves the task's variables, as the gateway sends it, and not the job."""
        judge = task.settings.judge or self._find_own_judge(task)
        if judge is None or not judge.key:
            return judge
        env.pop(judge.key, None)
        return replace(judge, key=find_own_variable(self.configuration, task.path, judge.key))

    def _find_own_judge(self, task: Task) -> Judge | None:
        """The judge that the harness has in its own configuration; a note where nobody says which it is."""
        if task.entry is None or not requires_judge(task.entry.keys):
            return None
        own = task.entry.keys.get("extra", {}).get("judge", {})
        if not own.get("url") or not own.get("model_id"):
            why = (
                "the harness would ask a judge of its own, past the gateway: declare a model, and write `judge = MODEL`"
            )
            self.draft.note(task.path, why, task.node)
            return None
        return Judge(own["url"], own["model_id"], own.get("api_key", ""))

    def _read_auxiliary(self, judge: Judge) -> str:
        name, path = judge.deployment, f"auxiliary_deployments.{judge.deployment}"
        if self.configuration.find(path) is None:
            span = judge.node.span if judge.node else None
            raise make_error("bad-config", f"`{judge.url}` names no auxiliary deployment", span)
        if name not in self._auxiliary:
            apart = replace(self.executors, replicas=1)
            self._auxiliary[name] = DeploymentReader(self.configuration, self.draft, path, apart).read()
            why = (
                "the judge is a server with a job of its own; "
                "`evalmake help slurm` shows one in the allocation of the model"
            )
            self.draft.note(path, why, self.configuration.find(path))
        return self._auxiliary[name]


def check_endpoints(configuration: Configuration, tasks: Sequence[Task], problems: Diagnostics) -> None:
    """Note what is missing to ask a model."""
    deployed = configuration.get("deployment.type", "none") != "none"
    asking = [task.endpoint for task in tasks if not deployed or task.endpoint.url]
    node = configuration.find("target.api_endpoint") or configuration.find("target") or configuration.root
    for key, example, given in (
        ("url", "https://HOST/v1/chat/completions", all(one.url for one in asking)),
        ("model_id", "NAME", all(one.name for one in asking)),
    ):
        path = f"target.api_endpoint.{key}"
        if not given:
            help = [f"write it in the file, or give it behind the file: +{path}={example}"]
            problems.error("bad-config", f"`{path}` is not given", node.span, help=help)


def _without_comments(node: Node | None) -> Node | None:
    """A node without its comments, which may speak of the secret."""
    return Node(node.value, node.span) if node else None
