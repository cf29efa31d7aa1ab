"""Build the graph of a plan: the servers, the evaluations that need them, and the reports that show their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalmake.language.values import SecretRef, Template
from evalmake.model_reply import reasoning_tags
from evalmake.planner.action import Action
from evalmake.planner.digest import Part
from evalmake.planner.image_files import identify_image
from evalmake.planner.stored_replies import StoredReplies
from evalmake.plugin_api.harness import AddsToIdentity
from evalmake.project.declarations import Declaration, HasPlacement
from evalmake.project.key_types import find_reference_keys
from evalmake.project.matrix import Evaluation
from evalmake.project.named_files import identify_named_files
from evalmake.project.project import Project
from evalmake.project.request_parameters import find_overruled_names
from evalmake.scoring.demands import Demands

if TYPE_CHECKING:
    import networkx

    from evalmake.project.plugin_registry import PluginRegistry

# The versions that a benchmark or deployment runs with, as far as they are known: package -> version.
FindVersions = Callable[[Declaration, object], Mapping[str, str]]

# What a harness adds to the identity of a benchmark.
FindAdditions = Callable[[Declaration, object], Mapping[str, Any]]

# These keys of an adapter change neither the requests that are sent nor the replies that are scored.
_OUTSIDE_IDENTITY = (
    "cache",
    "cache_empty",
    "cache_truncated",
    "client_errors",
    "log",
    "max_reply",
    "progress_url",
    "requests",
    "retry",
    "timeout",
)

_UNASKED = Part.of({"asked": "none"})
"""The part of the model where none is asked: whose answers they are is a name, which changes no score."""


def additions_of_harness(benchmark: Declaration, harness: object) -> Mapping[str, Any]:
    """Return what a harness adds to the identity of a benchmark."""
    return harness.identity(benchmark) if isinstance(harness, AddsToIdentity) else {}


@dataclass(frozen=True, slots=True)
class Node:
    """One evaluation of the graph, with its action and the deployments that serve its models.

    With `replies` it scores these, and asks no model but those that judge: `judge_deployments` serve them.
    """

    evaluation: Evaluation
    action: Action
    deployments: tuple[str, ...]
    judge_deployments: tuple[str, ...] = ()
    replies: StoredReplies | None = None

    @property
    def name(self) -> str:
        """The path of the cell."""
        return self.evaluation.name

    @property
    def services(self) -> tuple[str, ...]:
        """The deployments that must serve it."""
        return self.deployments if self.replies is None else self.judge_deployments

    @property
    def asks_model(self) -> bool:
        """Whether it asks the model that it measures."""
        return self.replies is None and not self.evaluation.benchmark.unasked

    @property
    def executor(self) -> str:
        """The executor that runs the evaluation."""
        name: str = self.evaluation.variant.block.executor
        return name

    @property
    def demands(self) -> Demands:
        """What the evaluation demands of a result; no part of the identity, so evaluations can share a result."""
        block = self.evaluation.benchmark.block
        return Demands(block.coverage, block.truncated, block.metric or "")


@dataclass(slots=True)
class ReportNode:
    """A report and the evaluations whose results it shows."""

    declaration: Declaration
    nodes: list[Node]

    @property
    def name(self) -> str:
        """The name of the report."""
        return self.declaration.name


@dataclass(slots=True)
class Graph:
    """The selected targets and what they need. Evaluations and reports are in the order of their declarations."""

    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Action] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # model -> digest of the endpoint or server behind it
    reports: dict[str, ReportNode] = field(default_factory=dict)
    executors: Mapping[str, Declaration] = field(default_factory=dict)
    deployments: Mapping[str, Declaration] = field(default_factory=dict)
    models: Mapping[str, Declaration] = field(default_factory=dict)
    reply_caches: Sequence[str] = ()

    def network(self) -> networkx.DiGraph[str]:
        """Return the graph for networkx, which draws it and finds what is reachable."""
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph()
        for name in self.services:
            graph.add_node(f"deployment {name}", kind="serve")
        for node in self.nodes.values():
            graph.add_node(node.name, kind="evaluate")
            graph.add_edges_from((f"deployment {s}", node.name) for s in node.services)
        for report in self.reports.values():
            graph.add_node(report.name, kind="report")
            graph.add_edges_from((node.name, report.name) for node in report.nodes)
        return graph


class GraphBuilder:
    """Builds nodes from evaluations. Each declaration is walked once, however many cells use it."""

    def __init__(
        self,
        project: Project,
        plugins: PluginRegistry,
        find_versions: FindVersions = lambda declaration, plugin: {},
        find_additions: FindAdditions = additions_of_harness,
    ) -> None:
        self.project = project
        self.plugins = plugins
        self.find_versions = find_versions
        self.find_additions = find_additions
        self.services: dict[str, Action] = {}
        self.sources: dict[str, str] = {}
        self._models: dict[str, Part] = {}
        self._benchmarks: dict[str, tuple[Part, tuple[str, ...]]] = {}
        self._cell_settings: dict[tuple[object, ...], Part] = {}
        self._deployments: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._nodes: dict[str, Node] = {}

    def node(self, cell: Evaluation) -> Node:
        """Return the node of one cell."""
        if cell.name not in self._nodes:
            self._nodes[cell.name] = self._build_node(cell)
        return self._nodes[cell.name]

    def _build_node(self, cell: Evaluation) -> Node:
        benchmark, judges = self._benchmark_part(cell.benchmark)
        model = None if cell.benchmark.unasked else cell.model
        parts = {"": self._cell_part(cell), "benchmark": benchmark}
        parts["model"] = _UNASKED if model is None else self._model_part(model)
        of_judges = self._deployments_of(None, judges)
        return Node(cell, Action.of("evaluate", parts), self._deployments_of(model, judges), of_judges)

    def _cell_part(self, cell: Evaluation) -> Part:
        """Seed, limit, parameters and adapter: walked once for all cells that share them."""
        block = cell.variant.block
        variant: object = cell.name if block.params and _has_template(block.params) else id(cell.variant)
        benchmark = cell.benchmark.name if cell.benchmark.block.params else ""
        model = cell.model.name if cell.model.block.params else ""
        overruled = find_overruled_names(cell)
        key = (variant, model, benchmark, cell.seed, cell.limit, overruled)
        if key not in self._cell_settings:
            adapter = {} if cell.benchmark.unasked else self._adapter_identity(block.adapter)
            settings: dict[str, Any] = {"seed": cell.seed, "limit": cell.limit, "params": dict(cell.params)}
            settings |= {"adapter": adapter} if adapter else {}
            settings |= {"until": cell.variant.stop_rule.fields} if cell.variant.stop_rule else {}
            settings |= {"repeats": block.repeats} if block.repeats > 1 else {}
            settings |= {"overrules": overruled} if overruled else {}  # earlier versions let the adapter win
            self._cell_settings[key] = Part.of(settings)
        return self._cell_settings[key]

    def _deployments_of(self, model: Declaration | None, judges: tuple[str, ...]) -> tuple[str, ...]:
        """Return the deployments that must serve a cell of this model, if it asks one, and these judges."""
        key = (model.name if model else "", judges)
        if key not in self._deployments:
            models = [*([model] if model else []), *(self.project.models[judge] for judge in judges)]
            self._deployments[key] = tuple(dict.fromkeys(m.block.deployment for m in models if m.block.deployment))
            for name in self._deployments[key]:
                self._add_service(name)
        return self._deployments[key]

    def _model_part(self, model: Declaration) -> Part:
        if model.name not in self._models:
            block = model.block
            source: dict[str, Any] = {"name": block.name, "revision": block.revision}
            source["headers"] = _without_secrets(block.headers)  # a header may choose the model behind a proxy
            if block.deployment:
                source["deployment"] = self._deployment_identity(self.project.deployments[block.deployment])
            else:
                source["endpoint"] = block.endpoint.rstrip("/")
            settings = {"api": block.api, "adapter": self._adapter_identity(block.adapter)}
            self._models[model.name] = Part.of(_without_empty(source | settings))
            self.sources[model.name] = Part.of(_without_empty(source)).digest
        return self._models[model.name]

    def _judge_digest(self, judge: Declaration) -> str:
        """Return what a judge is: a model, with the parameters of its own that it is asked with."""
        part, params = self._model_part(judge), judge.block.params
        return Part.of({"model": part.digest, "params": params}).digest if params else part.digest

    def _deployment_identity(self, deployment: Declaration) -> dict[str, Any]:
        block = deployment.block
        engine = self.plugins.get("engines", block.engine)
        return _without_empty(
            {
                "engine": f"{block.engine}/{engine.behaviour}",
                "image": self._image_identity(block.image),
                "weights": block.weights,
                "digest": block.digest,
                "args": block.args,
                "env": _without_secrets(block.env),
                "run": block.run,
                "served_name": block.served_name,
                "settings": _without_empty(_plugin_settings(deployment)),
                "resolved": self.find_versions(deployment, engine),
            }
        )

    def _add_service(self, name: str) -> None:
        if name not in self.services:
            part = Part.of(self._deployment_identity(self.project.deployments[name]))
            self.services[name] = Action.of("serve", {"deployment": part})

    def _benchmark_part(self, benchmark: Declaration) -> tuple[Part, tuple[str, ...]]:
        """Return the part of a benchmark, and the models that judge its replies."""
        if benchmark.name not in self._benchmarks:
            block, settings = benchmark.block, _plugin_settings(benchmark)
            harness = self.plugins.get("harnesses", block.harness)
            kinds = find_reference_keys(type(benchmark.settings)) if benchmark.settings else {}
            judge_keys = [key for key, kind in kinds.items() if kind == "model" and settings.get(key)]
            judges = tuple(settings[key] for key in judge_keys)
            for key in judge_keys:
                settings[key] = self._judge_digest(self.project.models[settings[key]])
            placement = harness.placement if isinstance(harness, HasPlacement) else ()
            identity = {
                "harness": f"{block.harness}/{harness.behaviour}",
                "image": self._image_identity(block.image),
                "packages": tuple(sorted(block.packages or ())),
                "resolved": self.find_versions(benchmark, harness),
                "task": block.task,
                "fewshot": block.fewshot,
                "dataset": block.dataset,
                "digest": block.digest,
                "files": block.files,
                "named_files": identify_named_files(benchmark),
                "env": _without_secrets(block.env),
                "adapter": self._adapter_identity(block.adapter),
                **{k: v for k, v in settings.items() if k not in placement},
            }
            identity |= self.find_additions(benchmark, harness)
            self._benchmarks[benchmark.name] = Part.of(_without_empty(identity)), judges
        return self._benchmarks[benchmark.name]

    def _image_identity(self, image: str | None) -> object:
        return identify_image(image, self.project.path.parent, self.project.external)

    def _adapter_identity(self, adapter: Any) -> dict[str, Any]:
        """Return the keys of an adapter that count. An empty list counts: it removes the list of the model."""
        fields = type(adapter).model_fields
        settings = {key: getattr(adapter, key) for key in fields if key not in _OUTSIDE_IDENTITY}
        behaviour = {name: self._behaviour_of(name) for name in adapter.plugins or ()}
        if adapter.strip_reasoning:
            behaviour["strip_reasoning"] = reasoning_tags.BEHAVIOUR
        if behaviour:
            settings["behaviour"] = behaviour
        return {key: value for key, value in settings.items() if value is not None}

    def _behaviour_of(self, interceptor: str) -> int | None:
        """Return the behaviour number of a plugin, or None if it is not installed. Preflight reports that."""
        try:
            behaviour: int = self.plugins.get("interceptors", interceptor).behaviour
        except KeyError:
            return None
        return behaviour


def build_graph(
    builder: GraphBuilder,
    cells: Iterable[Evaluation],
    reports: Mapping[str, tuple[Declaration, list[Evaluation]]],
) -> Graph:
    """Return the graph of `cells` and `reports`."""
    graph = Graph()
    for cell in cells:
        graph.nodes[cell.name] = builder.node(cell)
    for name, (declaration, shown) in reports.items():
        graph.reports[name] = ReportNode(declaration, [builder.node(cell) for cell in shown])
    graph.services, graph.sources = builder.services, builder.sources
    project = builder.project
    graph.executors, graph.deployments, graph.models = project.executors, project.deployments, project.models
    graph.reply_caches = project.settings.seeds
    return graph


def _plugin_settings(declaration: Declaration) -> dict[str, Any]:
    settings = declaration.settings
    return {k: getattr(settings, k) for k in type(settings).model_fields} if settings else {}


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop `none` and empty values, so that writing them has the same digest as leaving them out."""
    return {k: v for k, v in values.items() if v is not None and v != {} and v != ()}


def _without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if not isinstance(v, SecretRef)}


def _has_template(value: object) -> bool:
    """Whether `value` contains a template, whose text depends on the axes of the cell."""
    match value:
        case dict():
            return any(_has_template(item) for item in value.values())
        case tuple() | list():
            return any(_has_template(item) for item in value)
    return isinstance(value, Template)
