"""A configuration of nemo-evaluator-launcher as an Evalfile: models, benchmarks of the catalog, evals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import Diagnostics, EvalmakeError, make_error
from evalmake.language.values import Symbol
from evalmake.migration.adapter_settings import NOT_USED
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import NONE, Block, Draft, Expression, Item, to_name, write_seconds
from evalmake.migration.hydra import Composition
from evalmake.migration.launcher_defaults import SHIPPED
from evalmake.migration.launcher_deployments import DeploymentReader
from evalmake.migration.launcher_executors import ExecutorReader, Executors
from evalmake.migration.launcher_keys import CONFIGURATION, EVALUATION, TASK, check_keys, find_stray
from evalmake.migration.launcher_models import ModelWriter, check_endpoints
from evalmake.migration.launcher_tasks import (
    GLOBAL,
    Task,
    find_differences,
    lay_over_global,
    read_task,
)
from evalmake.migration.launcher_variables import VARIABLES, read_variables
from evalmake.migration.run_settings import RunSettings, merge_extra, read_run_settings
from evalmake.migration.yaml_file import Document, Node
from evalmake.project.catalog import Entry, fit_to_repeats, wheel_names

_OF_SERVERS = {
    "api_key_name": "the server is one that evalmake starts: it asks for no key",
    "model_id": "`served_model_name` of the deployment is the name of the model",
}
"""Why keys of `target.api_endpoint` have no place beside a deployment, wherever they stand."""
_NO_PLACE = {
    "export": "reports are files that `report` blocks write: markdown, json, in-toto",
    "metadata": "a comment in the Evalfile, or `comment` of an executor",
    "evaluation.overrides": "the launcher no longer reads it: write `nemo_evaluator_config`",
    "deployment.cache_path": "mount it in the executor: `mounts`",
    "deployment.endpoints": "the engine knows its paths",
    "deployment.multiple_instances": (
        "the launcher no longer reads it: `execution.num_instances` gives the deployment `replicas`"
    ),
    "target.api_endpoint.type": "the task decides it",
    "target.api_endpoint.stream": (
        "the launcher does not read it here, but in `nemo_evaluator_config.target.api_endpoint`"
    ),
    "target.api_endpoint": "`deployment` is the model that is asked",
}
_STREAMING = ("genai-perf-eval", "lm-evaluation-harness")
"""The harnesses whose commands have a place for `stream`."""
_OWN_TIMEOUT = Expression("1h")
"""What evalmake takes where an eval says nothing."""
_NOWHERE = "evalmake has no key for it"


def translate_launcher(
    document: Document,
    path: Path,
    overrides: Sequence[str],
    wheels: bool = False,
    change: Callable[[Node], None] = lambda whole: None,
) -> Draft:
    """The Evalfile for a configuration file, changed once it is whole; EvalmakeError with the lines that are wrong."""
    problems = Diagnostics()
    check_keys(document.root, CONFIGURATION, "the configuration", problems)
    try:
        root = Composition(path, SHIPPED).compose(document.root, overrides)
        change(root)
    except EvalmakeError as error:
        raise EvalmakeError([*problems, *error.diagnostics]) from None
    defaults = document.root.value.get("defaults")
    comments = [*document.header, *(defaults.comments if defaults else ())]
    draft = Draft(path.name, [line for line in comments if "docs-" not in line], wheels=wheels)
    draft.keep_comments("defaults", defaults)
    return translate_root(root, draft, path.stem, problems)


def translate_root(root: Node, draft: Draft, title: str, problems: Diagnostics | None = None) -> Draft:
    """The Evalfile for a composed configuration; an error with all its `problems`, those that are known and others."""
    draft.keep_comments("", root)
    _Translation(Configuration(root), draft, to_name(title), problems or Diagnostics()).translate()
    return draft


@dataclass(slots=True)
class _Translation:
    configuration: Configuration
    draft: Draft
    title: str
    problems: Diagnostics
    _executors: Executors = field(default_factory=lambda: Executors("", ""))

    def translate(self) -> None:
        configuration, draft = self.configuration, self.draft
        tasks = self._read_tasks()
        deployed = configuration.get("deployment.type", "none") != "none"
        env: dict[str, Any] = {}
        for place in VARIABLES:
            env |= read_variables(configuration, draft, place)
        self._executors = ExecutorReader(configuration, draft, deployed, env).read()
        deployment = DeploymentReader(configuration, draft, "deployment", self._executors).read() if deployed else ""
        common = read_run_settings(configuration, draft, GLOBAL)
        models = ModelWriter(configuration, draft, self._executors, deployment)
        concurrency = _find_concurrency(tasks, common)
        asked = models.write(tasks, concurrency)
        for task in tasks:
            self._write_benchmark(task, common, models, concurrency)
        for model, members in asked:
            self._write_eval(model, members, common, self._name_eval(model, members, asked))
        if block := self._executors.counts_gpus:
            block.lines.insert(1, f"gpus = {sum(self._executors.gpus_in_use)}")
        self._note_the_rest()
        configuration.check_missing()

    def _read_tasks(self) -> list[Task]:
        """The tasks; EvalmakeError with everything that is wrong with keys, tasks and endpoints."""
        tasks, problems, are_known = [], self.problems, True
        for at, node in enumerate(self._list_tasks()):
            if "name" not in node.value and problems:
                are_known = False
                continue
            try:
                tasks.append(read_task(self.configuration, self.draft, at, node))
            except EvalmakeError as error:
                problems.extend(error.diagnostics)
        if are_known and (not problems or self.configuration.find("target")):
            check_endpoints(self.configuration, tasks, problems)
        if problems:
            self.configuration.note_missing(problems)
        problems.check()
        return tasks

    def _list_tasks(self) -> list[Node]:
        evaluation, tasks = self.configuration.find("evaluation"), self.configuration.find("evaluation.tasks")
        if evaluation is not None and isinstance(evaluation.value, dict):
            check_keys(evaluation, EVALUATION, "`evaluation`", self.problems)
        if tasks is None or not isinstance(tasks.value, list) or not tasks.value:
            span = (tasks or evaluation or self.configuration.root).span
            self.problems.check()
            raise make_error("bad-config", "`evaluation.tasks` lists no task", span)
        for node in tasks.value:
            if not isinstance(node.value, dict):
                raise make_error("bad-config", "a task is a map with `name`", node.span, help=["write `- name: TASK`"])
            check_keys(node, TASK, "a task", self.problems)
        lay_over_global(self.configuration)
        return list(tasks.value)

    def _name_eval(self, model: str, members: Sequence[Task], asked: Sequence[tuple[str, list[Task]]]) -> str:
        """The name of the eval of one of several models."""
        if len(asked) == 1:
            return self.draft.name("eval", self.title)
        api = members[0].endpoint.api
        alone = sum(tasks[0].endpoint.api == api for _, tasks in asked) == 1
        return self.draft.name("eval", f"{self.title}-{api if alone else model}")

    # Benchmarks and evals -----------------------------------------------------------------------

    def _write_benchmark(self, task: Task, common: RunSettings, models: ModelWriter, concurrency: Item | None) -> None:
        """The catalog's own benchmark, or one derived from it where a key of benchmarks differs."""
        keys, settings = dict(task.settings.benchmark), task.settings
        own = settings.parallelism
        if own and not (concurrency and own.value == concurrency.value):
            keys["parallelism"] = own
        image = self.configuration.find(f"{task.path}.container")
        if image is not None and task.entry and self._has_wheel(task.entry):
            self.draft.note(f"{task.path}.container", "the wheel takes its place", image.use())
        elif image is not None:
            keys["image"] = Item(self.draft.resolve(self.configuration.read(image, f"{task.path}.container")), image)
        if "stream" in keys and task.entry and task.entry.harness not in _STREAMING:
            path = f"{GLOBAL}.target.api_endpoint.stream"
            self.draft.note(path, f"{task.entry.harness} does not read it", keys.pop("stream").node)
        extra = merge_extra(dict(task.entry.keys.get("extra", {})) if task.entry else {}, settings.extra)
        self._read_commands(task, keys)
        env = read_variables(self.configuration, self.draft, f"{task.path}.env_vars")
        judge = models.find_judge(task, env)
        params = {key: item for key, item in settings.params.items() if key not in common.params}
        adapter = {key: item for key, item in settings.adapter.items() if key not in common.adapter}
        if task.entry:
            self._include(task, task.entry)
        changed = bool(keys or extra or judge or env or params or adapter)
        if task.entry and not changed and self.draft.take("benchmark", task.entry.name):
            task.benchmark = task.entry.name
            return
        judge_name = models.declare_judge(judge, task.entry) if judge else ""
        task.benchmark = self.draft.name("benchmark", task.title.rpartition(".")[2])
        block = self.draft.block(
            "benchmark", task.benchmark, task.entry.name if task.entry else "", task.node, task.node.value.get("name")
        )
        keys |= _fit_metric(task.entry, extra) if task.entry else {}
        if not task.entry:
            keys = {"harness": Symbol("nemo"), "task": task.title, "endpoint": Symbol(task.kind), **keys}
        for key, value in {**keys, "params": params, "adapter": adapter, "extra": extra, "env": env}.items():
            block.set(key, value)
        if judge_name:
            block.set("judge", Symbol(judge_name))

    def _include(self, task: Task, entry: Entry) -> None:
        """Include the harness's file of the catalog, or that of its wheel."""
        has_wheel = self._has_wheel(entry)
        if self.draft.wheels and not has_wheel:
            why = "NVIDIA has no wheel of it that runs alone: it needs an executor with `backend = docker`"
            self.draft.note(task.path, why, task.node)
        self.draft.include(f"wheels/{entry.harness}" if has_wheel else entry.harness)

    def _has_wheel(self, entry: Entry) -> bool:
        """Whether a wheel is wanted, and there is one that runs."""
        return self.draft.wheels and entry.harness in wheel_names() and not entry.wheel_lacks

    def _read_commands(self, task: Task, keys: dict[str, Any]) -> None:
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

    def _write_eval(self, model: str, tasks: Sequence[Task], common: RunSettings, name: str) -> None:
        places = [self.configuration.find(path) for path in ("evaluation", "evaluation.tasks")]
        block = self.draft.block("eval", name, "", *places)
        block.set("model", Symbol(model))
        names = [Item(Symbol(task.benchmark), self._own_comments(task)) for task in tasks]
        if len(names) == 1:
            block.set("benchmark", names[0])
        else:
            block.set("benchmark", names, "in")
        alone = tasks[0].settings if len(tasks) == 1 else common
        block.set("limit", alone.limit)
        for key in ("params", "adapter"):
            own = getattr(alone, key)
            block.set(key, {name: own[name] for name in getattr(common, key) if name in own})
        block.set("executor", Symbol(self._executors.evaluations))
        self._write_timeout(block)
        for task in tasks if len(tasks) > 1 else ():
            self._write_exceptions(block, task, common)

    @staticmethod
    def _write_exceptions(block: Block, task: Task, common: RunSettings) -> None:
        """What one task says otherwise than the eval: an eval beats its benchmarks, and `when` beats the eval."""
        own, when = task.settings, Block(f"when benchmark = {task.benchmark}")
        below = task.entry.keys.get("params", {}) if task.entry else {}
        if own.limit is None or common.limit is None or own.limit.value != common.limit.value:
            when.set("limit", own.limit if own.limit or not common.limit else NONE)
        when.set("params", find_differences(common.params, own.params, below))
        when.set("adapter", find_differences(common.adapter, own.adapter, {}))
        if when.lines:
            block.lines += ["", when.text()]

    def _own_comments(self, task: Task) -> Node | None:
        """The comments of a task, where no block of its own has them."""
        if task.entry is None or task.benchmark != task.entry.name:
            return None
        name = task.node.value["name"]
        return Node(None, None, (*task.node.comments, *name.comments), name.remark)

    def _write_timeout(self, block: Block) -> None:
        kind = self.configuration.get("execution.type")
        limit = self._executors.limit
        if kind == "local":
            why = Node(None, remark="NeMo Evaluator sets no limit; without this line it is 1h")
            limit = Item(Expression("7d"), why)
        elif kind == "lepton":
            limit = write_seconds(float(self.configuration.get("execution.evaluation_tasks.timeout", 3600)))
        if limit != _OWN_TIMEOUT:
            block.set("timeout", limit)

    def _note_the_rest(self) -> None:
        noted = set()
        for path, node in self.configuration.unread():
            stray, advice = find_stray(path)
            if stray and advice:
                self.draft.note(stray, f"nothing reads it here: {advice}", node)
                continue
            if (key := path.rpartition("target.api_endpoint.")[2]) in _OF_SERVERS:
                self.draft.note(path, _OF_SERVERS[key], node)
                continue
            adapter, _, key = path.rpartition(".adapter_config.")
            if adapter and key in NOT_USED:
                self.draft.note(f"adapter_config.{key}", NOT_USED[key], node)
                continue
            place = next((one for one in _NO_PLACE if path == one or path.startswith(f"{one}.")), path)
            if place not in noted:
                self.draft.note(place, _NO_PLACE.get(place, _NOWHERE), node)
            noted.add(place)


def _find_concurrency(tasks: Sequence[Task], common: RunSettings) -> Item | None:
    """How many requests a model gets at the same time: what is said of all tasks, or more where one says more."""
    if common.parallelism is None:
        return None
    own = [task.settings.parallelism for task in tasks if task.settings.parallelism]
    return max(own, key=lambda item: int(item.value), default=None)


def _fit_metric(entry: Entry, extra: dict[str, Any]) -> dict[str, Any]:
    """The metric of as many samples as the harness is told to ask for, if the catalog's is of another number."""
    repeats, metric = extra.get("num_repeats"), str(entry.keys.get("metric", ""))
    number = repeats.value if isinstance(repeats, Item) else repeats
    fit = fit_to_repeats(metric, number) if isinstance(number, int) else metric
    return {"metric": fit} if fit != metric else {}
