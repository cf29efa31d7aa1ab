"""Evaluations to a graph of actions: servers, evaluations that need them, reports that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalmake.language.values import SecretRef, Template
from evalmake.planner.action import Action
from evalmake.planner.digest import Part
from evalmake.project.declarations import Declaration, HasPlacement
from evalmake.project.key_types import find_reference_keys
from evalmake.project.matrix import Evaluation
from evalmake.project.project import Project

if TYPE_CHECKING:
    import networkx

    from evalmake.project.plugin_registry import PluginRegistry

# A benchmark or deployment and its plugin -> the versions it runs with, where known: name -> version.
Resolved = Callable[[Declaration, object], Mapping[str, str]]

# Of an adapter: they change no request that is sent, and no reply that is scored.
_UNSEEN = (
    "cache",
    "cache_truncated",
    "client_errors",
    "log",
    "progress_url",
    "retry",
    "timeout",
)


@dataclass(frozen=True, slots=True)
class Node:
    """A target and what it takes: an evaluation with its action and the server it needs."""

    evaluation: Evaluation
    action: Action
    services: tuple[str, ...]

    @property
    def name(self) -> str:
        """The cell's path."""
        return self.evaluation.name

    @property
    def executor(self) -> str:
        """Where it runs."""
        name: str = self.evaluation.variant.block.executor
        return name


@dataclass(slots=True)
class ReportNode:
    """A report and the cells it tells of."""

    declared: Declaration
    nodes: list[Node]

    @property
    def name(self) -> str:
        """The report's name."""
        return self.declared.name


@dataclass(slots=True)
class Graph:
    """All that was asked for: nodes by name in declaration order."""

    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Action] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # a model -> a digest of what answers
    reports: dict[str, ReportNode] = field(default_factory=dict)

    def network(self) -> networkx.DiGraph[str]:
        """The same as a networkx graph, for drawing and questions of reachability."""
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
    """Turns a project's evaluations into actions, each declaration walked once."""

    def __init__(self, project: Project, plugins: PluginRegistry, resolved: Resolved) -> None:
        self.project = project
        self.plugins = plugins
        self.resolved = resolved
        self.services: dict[str, Action] = {}
        self.sources: dict[str, str] = {}
        self._models: dict[str, Part] = {}
        self._benchmarks: dict[str, tuple[Part, tuple[str, ...]]] = {}
        self._owns: dict[tuple[object, ...], Part] = {}
        self._needs: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._nodes: dict[str, Node] = {}

    def node(self, cell: Evaluation) -> Node:
        """The node of one cell."""
        found = self._nodes.get(cell.name)
        if found is None:
            found = self._nodes[cell.name] = self._lower(cell)
        return found

    def _lower(self, cell: Evaluation) -> Node:
        benchmark, judges = self._benchmark(cell.benchmark)
        parts = {"": self._own(cell), "benchmark": benchmark, "model": self._model(cell.model)}
        return Node(cell, Action.of("evaluate", parts), self._needed(cell.model, judges))

    def _own(self, cell: Evaluation) -> Part:
        """Seed, limit, parameters and adapter: walked once for all cells that have the same."""
        block = cell.variant.block
        whose = cell.benchmark.name if cell.benchmark.block.params else ""
        which: object = id(cell.variant)
        if block.params and _mentions_axes(block.params):
            which = cell.name
        key = (which, whose, cell.seed, cell.limit)
        found = self._owns.get(key)
        if found is None:
            adapter = self._adapter(block.adapter)
            own = {"seed": cell.seed, "limit": cell.limit, "params": dict(cell.params)}
            found = self._owns[key] = Part.of(own | ({"adapter": adapter} if adapter else {}))
        return found

    def _needed(self, model: Declaration, judges: tuple[str, ...]) -> tuple[str, ...]:
        """The deployments that must serve a cell of this model and these judges."""
        key = (model.name, judges)
        if key not in self._needs:
            models = [model, *(self.project.models[judge] for judge in judges)]
            self._needs[key] = tuple(dict.fromkeys(m.block.deployment for m in models if m.block.deployment))
            for name in self._needs[key]:
                self._service(name)
        return self._needs[key]

    def _model(self, model: Declaration) -> Part:
        if model.name not in self._models:
            block = model.block
            source: dict[str, Any] = {"name": block.name, "revision": block.revision}
            source["headers"] = _plain(block.headers)  # they may choose who answers
            if block.deployment:
                source["deployment"] = self._serving(self.project.deployments[block.deployment])
            else:
                source["endpoint"] = block.endpoint.rstrip("/")
            own = {"api": block.api, "adapter": self._adapter(block.adapter)}
            self._models[model.name] = Part.of(_given(source | own))
            self.sources[model.name] = Part.of(_given(source)).digest
        return self._models[model.name]

    def _serving(self, deployment: Declaration) -> dict[str, Any]:
        block = deployment.block
        engine = self.plugins.get("engines", block.engine)
        return _given(
            {
                "engine": f"{block.engine}/{engine.behaviour}",
                "image": block.image,
                "weights": block.weights,
                "digest": block.digest,
                "args": block.args,
                "env": _plain(block.env),
                "run": block.run,
                "settings": _given(_dump(deployment)),
                "resolved": self.resolved(deployment, engine),
            }
        )

    def _service(self, name: str) -> Action:
        if name not in self.services:
            part = Part.of(self._serving(self.project.deployments[name]))
            self.services[name] = Action.of("serve", {"deployment": part})
        return self.services[name]

    def _benchmark(self, benchmark: Declaration) -> tuple[Part, tuple[str, ...]]:
        if benchmark.name not in self._benchmarks:
            block, settings = benchmark.block, _dump(benchmark)
            harness = self.plugins.get("harnesses", block.harness)
            named = find_reference_keys(type(benchmark.settings)) if benchmark.settings else {}
            asked = [key for key, kind in named.items() if kind == "model" and settings.get(key)]
            judges = tuple(settings[key] for key in asked)
            for key in asked:
                settings[key] = self._model(self.project.models[settings[key]]).digest
            placement = harness.placement if isinstance(harness, HasPlacement) else ()
            identity = {
                "harness": f"{block.harness}/{harness.behaviour}",
                "image": block.image,
                "packages": tuple(sorted(block.packages or ())),
                "resolved": self.resolved(benchmark, harness),
                "task": block.task,
                "fewshot": block.fewshot,
                "dataset": block.dataset,
                "digest": block.digest,
                "files": block.files,
                "adapter": self._adapter(block.adapter),
                **{k: v for k, v in settings.items() if k not in placement},
            }
            self._benchmarks[benchmark.name] = Part.of(_given(identity)), judges
        return self._benchmarks[benchmark.name]

    def _adapter(self, adapter: Any) -> dict[str, Any]:
        """What of an adapter says something: an empty list does, as it takes a model's away."""
        fields = type(adapter).model_fields
        given = {key: getattr(adapter, key) for key in fields if key not in _UNSEEN}
        if adapter.plugins:
            given["behaviour"] = {name: self._behaviour(name) for name in adapter.plugins}
        return {key: value for key, value in given.items() if value is not None}

    def _behaviour(self, interceptor: str) -> int | None:
        """A third party's interceptor's; None where it is not installed, which is told elsewhere."""
        try:
            number: int = self.plugins.get("interceptors", interceptor).behaviour
        except KeyError:
            return None
        return number


def build_graph(
    project: Project,
    cells: Iterable[Evaluation],
    reports: Mapping[str, tuple[Declaration, list[Evaluation]]],
    plugins: PluginRegistry,
    resolved: Resolved = lambda declared, plugin: {},
) -> Graph:
    """The graph of `cells` and `reports`."""
    lowering = GraphBuilder(project, plugins, resolved)
    graph = Graph()
    for cell in cells:
        graph.nodes[cell.name] = lowering.node(cell)
    for name, (declared, told) in reports.items():
        graph.reports[name] = ReportNode(declared, [lowering.node(cell) for cell in told])
    graph.services, graph.sources = lowering.services, lowering.sources
    return graph


def _dump(declared: Declaration) -> dict[str, Any]:
    settings = declared.settings
    return {k: getattr(settings, k) for k in type(settings).model_fields} if settings else {}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What says something: `none` and empty are as good as unwritten."""
    return {k: v for k, v in values.items() if v is not None and v != {} and v != ()}


def _plain(env: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in env.items() if not isinstance(v, SecretRef)}


def _mentions_axes(value: object) -> bool:
    """Whether a template stands anywhere in `value`."""
    match value:
        case dict():
            return any(_mentions_axes(item) for item in value.values())
        case tuple() | list():
            return any(_mentions_axes(item) for item in value)
    return isinstance(value, Template)
