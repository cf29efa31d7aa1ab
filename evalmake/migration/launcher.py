"""A configuration of nemo-evaluator-launcher as an Evalfile: models, benchmarks of the catalog, evals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.language.values import SecretRef, Symbol
from evalmake.migration.catalog_tasks import find_entry
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Block, Draft, Expression, Item, guard_secret, to_name, write_seconds
from evalmake.migration.hydra import Composition
from evalmake.migration.launcher_defaults import SHIPPED, TOP_LEVEL
from evalmake.migration.launcher_deployments import DeploymentReader
from evalmake.migration.launcher_executors import ExecutorReader, Executors, read_variables
from evalmake.migration.run_settings import Judge, RunSettings, merge_extra, read_run_settings, strip_route
from evalmake.migration.yaml_file import Document, Node
from evalmake.project.catalog import Entry, fit_to_repeats, requires_judge

_EVALUATION_KEYS = ("tasks", "nemo_evaluator_config", "config", "overrides", "env_vars", "pre_cmd", "post_cmd")
_TASK_KEYS = (
    "name",
    "container",
    "endpoint_type",
    "env_vars",
    "nemo_evaluator_config",
    "config",
    "overrides",
    "dataset_dir",
    "dataset_mount_path",
    "pre_cmd",
    "post_cmd",
)
_APIS = {
    "chat": "chat",
    "vlm": "vlm",
    "completions": "completions",
    "completions_logprob": "completions",
    "embedding": "embeddings",
}
_NO_PLACE = {
    "export": "reports are files that `report` blocks write: markdown, json, in-toto",
    "metadata": "a comment in the Evalfile, or `comment` of an executor",
    "evaluation.overrides": "the launcher no longer reads it: write `nemo_evaluator_config`",
    "deployment.cache_path": "mount it in the executor: `mounts`",
    "deployment.endpoints": "the engine knows its paths",
    "target.api_endpoint": "the benchmark and the harness decide it",
}
_NOWHERE = "evalmake has no key for it"


@dataclass(slots=True)
class _Task:
    """A task: its benchmark, what it says of requests, and its place in the file."""

    path: str
    node: Node
    title: str
    entry: Entry | None
    settings: RunSettings
    benchmark: str = ""

    @property
    def api(self) -> str:
        return _APIS[self.endpoint]

    endpoint: str = "chat"


def translate_launcher(document: Document, path: Path, overrides: Sequence[str]) -> Draft:
    """The Evalfile for a configuration file; EvalmakeError with the lines that are wrong."""
    _check_keys(document.root, TOP_LEVEL, "the configuration")
    root = Composition(path, SHIPPED).compose(document.root, overrides)
    defaults = document.root.value.get("defaults")
    comments = [*document.header, *(defaults.comments if defaults else ())]
    return translate_root(root, Draft(path.name, [line for line in comments if "docs-" not in line]), path.stem)


def translate_root(root: Node, draft: Draft, title: str) -> Draft:
    """The Evalfile for a composed configuration."""
    _Translation(Configuration(root), draft, to_name(title)).translate()
    return draft


@dataclass(slots=True)
class _Translation:
    configuration: Configuration
    draft: Draft
    title: str
    _executors: Executors = field(default_factory=lambda: Executors("", ""))
    _judges: dict[Judge, str] = field(default_factory=dict)
    _auxiliary: dict[str, str] = field(default_factory=dict)

    def translate(self) -> None:
        configuration, draft = self.configuration, self.draft
        deployed = configuration.get("deployment.type", "none") != "none"
        env: dict[str, Any] = {}
        for place in ("env_vars", "execution.env_vars.evaluation", "evaluation.env_vars"):
            env |= read_variables(configuration, draft, place)
        self._executors = ExecutorReader(configuration, draft, deployed, env).read()
        deployment = DeploymentReader(configuration, draft, "deployment", self._executors).read() if deployed else ""
        common = read_run_settings(configuration, draft, "evaluation.nemo_evaluator_config")
        tasks = [self._read_task(at, node) for at, node in enumerate(self._list_tasks())]
        models = self._write_models(deployment, common, [task.api for task in tasks])
        for task in tasks:
            self._write_benchmark(task, common)
        for api, model in models.items():
            self._write_eval(model, [task for task in tasks if task.api == api], common, len(models) > 1)
        if block := self._executors.counts_gpus:
            block.lines.insert(1, f"gpus = {sum(self._executors.gpus_in_use)}")
        self._note_the_rest()
        configuration.check_missing()

    def _list_tasks(self) -> list[Node]:
        evaluation, tasks = self.configuration.find("evaluation"), self.configuration.find("evaluation.tasks")
        if evaluation is not None and isinstance(evaluation.value, dict):
            _check_keys(evaluation, _EVALUATION_KEYS, "`evaluation`")
        if tasks is None or not isinstance(tasks.value, list) or not tasks.value:
            span = (tasks or evaluation or self.configuration.root).span
            raise make_error("bad-config", "`evaluation.tasks` lists no task", span)
        return list(tasks.value)

    def _read_task(self, at: int, node: Node) -> _Task:
        path = f"evaluation.tasks.{at}"
        if not isinstance(node.value, dict):
            raise make_error("bad-config", "a task is a map with `name`", node.span, help=["write `- name: TASK`"])
        _check_keys(node, _TASK_KEYS, "a task")
        name, image = self.configuration.get(f"{path}.name", ""), self.configuration.find(f"{path}.container")
        entry = find_entry(str(name), node.value.get("name", node).span, known=image is None)
        task = _Task(
            path,
            node,
            str(name),
            entry,
            read_run_settings(self.configuration, self.draft, f"{path}.nemo_evaluator_config"),
        )
        kind = str(self.configuration.get(f"{path}.endpoint_type") or (entry.endpoint if entry else "chat"))
        if kind not in _APIS:
            span = self.configuration.find(f"{path}.endpoint_type")
            raise make_error("bad-config", f"there is no kind of endpoint `{kind}`", span.span if span else None)
        task.endpoint = kind
        return task

    # Models -------------------------------------------------------------------------------------

    def _write_models(self, deployment: str, common: RunSettings, apis: Sequence[str]) -> dict[str, str]:
        """A model for each kind of endpoint that a task asks; its name by the kind."""
        kinds = list(dict.fromkeys(apis))
        target = "target.api_endpoint"
        name = Item("") if deployment else self._target("model_id")
        first, found = "", {}
        for api in kinds:
            base = to_name(deployment or str(name.value)) or "model"
            model = self.draft.name("model", base if len(kinds) == 1 else f"{base}-{api}")
            found[api] = model
            if first:
                block = self.draft.block("model", model, first)
            else:
                block = self.draft.block(
                    "model", model, "", self.configuration.find("target"), self.configuration.find(target)
                )
                if deployment:
                    block.set("deployment", Symbol(deployment))
                else:
                    self._write_endpoint(block, name, kinds)
                block.set("concurrency", common.parallelism)
            if api != "chat" or first:
                block.set("api", Symbol(api))
            first = first or model
        return found

    def _target(self, key: str) -> Item:
        """A key of the endpoint: that of `nemo_evaluator_config` wins, as in the launcher."""
        for path in ("evaluation.nemo_evaluator_config.target.api_endpoint", "target.api_endpoint"):
            if (node := self.configuration.find(f"{path}.{key}")) is not None:
                return Item(self.draft.resolve(self.configuration.read(node, f"{path}.{key}")), node)
        root = self.configuration.root
        raise make_error("bad-config", f"`target.api_endpoint.{key}` is not given", root.span)

    def _write_endpoint(self, block: Block, name: Item, kinds: Sequence[str]) -> None:
        url = self._target("url")
        base = url.value if isinstance(url.value, Expression) else strip_route(str(url.value))
        block.set("endpoint", Item(base, url.node))
        block.set("name", name)
        key = self.configuration.find("target.api_endpoint.api_key_name")
        variable = self.configuration.get("target.api_endpoint.api_key_name")
        if not variable or str(variable).startswith("<"):
            return
        if secret := guard_secret("target.api_endpoint.api_key_name", str(variable)):
            why = "it takes the name of a variable, and this is a key itself: it is not copied; set MODEL_API_KEY"
            self.draft.note("target.api_endpoint.api_key_name", why, _without_comments(key))
            secret = SecretRef("MODEL_API_KEY")
        block.set("api_key", Item(secret or SecretRef(str(variable)), key))

    def _declare_judge(self, judge: Judge, entry: Entry | None) -> str:
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

    def _find_own_judge(self, task: _Task, env: dict[str, Any]) -> Judge | None:
        """The judge that the harness has in its own configuration; a note where nobody says which it is.

        Its key is what `env` gives under the name that the harness knows, and the gateway sends it.
        """
        if task.entry is None or not requires_judge(task.entry.keys):
            return None
        own = task.entry.keys.get("extra", {}).get("judge", {})
        if not own.get("url") or not own.get("model_id"):
            why = (
                "the harness would ask a judge of its own, past the gateway: declare a model, and write `judge = MODEL`"
            )
            self.draft.note(task.path, why, task.node)
            return None
        key = own.get("api_key", "")
        given = env.pop(key, None)
        secret = given.value if given else None
        return Judge(own["url"], own["model_id"], secret.name if isinstance(secret, SecretRef) else key)

    def _read_auxiliary(self, judge: Judge) -> str:
        name, path = judge.deployment, f"auxiliary_deployments.{judge.deployment}"
        if self.configuration.find(path) is None:
            span = judge.node.span if judge.node else None
            raise make_error("bad-config", f"`{judge.url}` names no auxiliary deployment", span)
        if name not in self._auxiliary:
            apart = replace(self._executors, replicas=1)
            self._auxiliary[name] = DeploymentReader(self.configuration, self.draft, path, apart).read()
            why = (
                "the judge is a server with a job of its own; "
                "`evalmake help slurm` shows one in the allocation of the model"
            )
            self.draft.note(path, why, self.configuration.find(path))
        return self._auxiliary[name]

    # Benchmarks and evals -----------------------------------------------------------------------

    def _write_benchmark(self, task: _Task, common: RunSettings) -> None:
        """The catalog's own benchmark, or one derived from it where a key of benchmarks differs."""
        keys = {**common.benchmark, **task.settings.benchmark}
        if task.settings.parallelism:
            keys["parallelism"] = task.settings.parallelism
        image = self.configuration.find(f"{task.path}.container")
        if image is not None:
            keys["image"] = Item(self.draft.resolve(self.configuration.read(image, f"{task.path}.container")), image)
        extra = merge_extra(
            dict(task.entry.keys.get("extra", {})) if task.entry else {}, {**common.extra, **task.settings.extra}
        )
        self._read_commands(task, keys)
        env = read_variables(self.configuration, self.draft, f"{task.path}.env_vars")
        judge = task.settings.judge or common.judge or self._find_own_judge(task, env)
        params = {key: item for key, item in task.settings.params.items() if key not in common.params}
        adapter = {key: item for key, item in task.settings.adapter.items() if key not in common.adapter}
        if task.entry:
            self.draft.include(task.entry.harness)
        if task.entry and not (keys or extra or judge or env or params or adapter):
            task.benchmark = task.entry.name
            return
        judge_name = self._declare_judge(judge, task.entry) if judge else ""
        task.benchmark = self.draft.name("benchmark", task.title.rpartition(".")[2])
        block = self.draft.block(
            "benchmark", task.benchmark, task.entry.name if task.entry else "", task.node, task.node.value.get("name")
        )
        keys |= _fit_metric(task.entry, extra) if task.entry else {}
        if not task.entry:
            keys = {"harness": Symbol("nemo"), "task": task.title, "endpoint": Symbol(task.endpoint), **keys}
        for key, value in {**keys, "params": params, "adapter": adapter, "extra": extra, "env": env}.items():
            block.set(key, value)
        if judge_name:
            block.set("judge", Symbol(judge_name))

    def _read_commands(self, task: _Task, keys: dict[str, Any]) -> None:
        for theirs, ours in (("pre_cmd", "setup"), ("post_cmd", "cleanup")):
            for path in (f"evaluation.{theirs}", f"{task.path}.{theirs}"):
                if text := self.draft.resolve(self.configuration.get(path)):
                    keys[ours] = Item(text, self.configuration.find(path))
        if folder := self.configuration.find(f"{task.path}.dataset_dir"):
            why = f'it is not mounted: `files = glob("{folder.value}/**")` in the benchmark gives its files to the job'
            self.draft.note(f"{task.path}.dataset_dir", why, folder.use())
        if target := self.configuration.find(f"{task.path}.dataset_mount_path"):
            self.draft.note(
                f"{task.path}.dataset_mount_path", "$NEMO_EVALUATOR_DATASET_DIR says where files are", target.use()
            )

    def _write_eval(self, model: str, tasks: Sequence[_Task], common: RunSettings, several: bool) -> None:
        name = self.draft.name("eval", f"{self.title}-{tasks[0].api}" if several else self.title)
        places = [self.configuration.find(path) for path in ("evaluation", "evaluation.tasks")]
        block = self.draft.block("eval", name, "", *places)
        block.set("model", Symbol(model))
        names = [Item(Symbol(task.benchmark), self._own_comments(task)) for task in tasks]
        if len(names) == 1:
            block.set("benchmark", names[0])
        else:
            block.set("benchmark", names, "in")
        alone = tasks[0].settings if len(tasks) == 1 else RunSettings()
        block.set("limit", alone.limit or common.limit)
        for key in ("params", "adapter"):
            own = {name: item for name, item in getattr(alone, key).items() if name in getattr(common, key)}
            block.set(key, {**getattr(common, key), **own})
        block.set("executor", Symbol(self._executors.evaluations))
        self._write_timeout(block)
        for task in tasks if len(tasks) > 1 else ():
            self._write_exceptions(block, task, common)

    @staticmethod
    def _write_exceptions(block: Block, task: _Task, common: RunSettings) -> None:
        """What one task says otherwise than the eval: an eval beats its benchmarks, and `when` beats the eval."""
        own, when = task.settings, Block(f"when benchmark = {task.benchmark}")
        when.set("limit", own.limit)
        when.set("params", {key: item for key, item in own.params.items() if key in common.params})
        when.set("adapter", {key: item for key, item in own.adapter.items() if key in common.adapter})
        if when.lines:
            block.lines += ["", when.text()]

    def _own_comments(self, task: _Task) -> Node | None:
        """The comments of a task, where no block of its own has them."""
        if task.entry is None or task.benchmark != task.entry.name:
            return None
        name = task.node.value["name"]
        return Node(None, None, (*task.node.comments, *name.comments), name.remark)

    def _write_timeout(self, block: Block) -> None:
        kind = self.configuration.get("execution.type")
        if kind == "local":
            block.set("timeout", Expression("7d"))
        elif kind == "lepton":
            block.set(
                "timeout", write_seconds(float(self.configuration.get("execution.evaluation_tasks.timeout", 3600)))
            )
        elif self._executors.limit:
            block.set("timeout", self._executors.limit)

    def _note_the_rest(self) -> None:
        noted = set()
        for path, node in self.configuration.unread():
            place = next((one for one in _NO_PLACE if path == one or path.startswith(f"{one}.")), path)
            if place not in noted:
                self.draft.note(place, _NO_PLACE.get(place, _NOWHERE), node)
            noted.add(place)


def _without_comments(node: Node | None) -> Node | None:
    """A node without its comments, which may speak of the secret."""
    return Node(node.value, node.span) if node else None


def _check_keys(node: Node, known: Sequence[str], where: str) -> None:
    """Refuse keys that the launcher does not know, the nearest named."""
    for key, item in node.value.items() if isinstance(node.value, dict) else ():
        if key not in known:
            meant = closest_name(key, known)
            help = [f"did you mean `{meant}`?"] if meant else [f"known are {', '.join(known)}"]
            raise make_error("bad-config", f"{where} has no key `{key}`", item.span, help=help)


def _fit_metric(entry: Entry, extra: dict[str, Any]) -> dict[str, Any]:
    """The metric of as many samples as the harness is told to ask for, if the catalog's is of another number."""
    repeats, metric = extra.get("num_repeats"), str(entry.keys.get("metric", ""))
    number = repeats.value if isinstance(repeats, Item) else repeats
    fit = fit_to_repeats(metric, number) if isinstance(number, int) else metric
    return {"metric": fit} if fit != metric else {}
