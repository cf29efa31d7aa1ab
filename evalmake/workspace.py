"""Where an Evalfile's state lies, and how a request becomes a plan: shared by every command."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalmake.command_registry import COMMAND_NAMES
from evalmake.language.diagnostic import Diagnostics, make_error
from evalmake.language.file_hashes import hash_file
from evalmake.language.source import Source
from evalmake.planner.graph import Graph, GraphBuilder, Node, ReportNode, build_graph
from evalmake.planner.plan import Plan, make_plan, report_identity
from evalmake.planner.staleness import ActionHistory, Reason
from evalmake.plugins import InstalledPlugins
from evalmake.preflight.graph_checks import check
from evalmake.project.command_words import Word, Words
from evalmake.project.declarations import Declaration
from evalmake.project.loader import load_project
from evalmake.project.matrix import Evaluation, expand_matrix
from evalmake.project.overrides import mention_overrides
from evalmake.project.pinned_inputs import UnpinnedInput, unpinned_inputs_of
from evalmake.project.project import Project
from evalmake.project.targets import Selection, cells_of_report, select_targets
from evalmake.results import JudgedGate, address_without_seed, judge_gates
from evalmake.run.environments.environments import Environments
from evalmake.scoring.result_set import GateResult
from evalmake.store.store import Store

if TYPE_CHECKING:
    from evalmake.plugin_api.executor import Executor
    from evalmake.run.gateways.host_gateways import ReplyCacheSettings


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, on the command line or from Python; `written` stands for the file."""

    file: Path
    words: Words
    dry_run: bool = False
    output: Path | None = None
    plan: Path | None = None
    jobs: int | None = None
    keep_going: bool = False
    always: bool = False
    question: bool = False
    verbosity: int = 0
    json: bool = False
    locked: bool = False
    detach: bool = False
    argv: tuple[str, ...] = ()
    written: Source | None = None


@dataclass(slots=True)
class Workspace:
    """A loaded Evalfile with its cells, and where its state lies."""

    project: Project
    plugins: InstalledPlugins
    cells: dict[str, list[Evaluation]]
    root: Path
    store_folder: Path
    written: bool = False

    @classmethod
    def open(
        cls,
        file: Path,
        overrides: Sequence[Word] = (),
        written: Source | None = None,
        locked: bool = True,
    ) -> Workspace:
        """Load and expand; EvalmakeError with what is wrong. Without `locked`, as it is written."""
        root = file.absolute().parent / ".evalmake"
        plugins = InstalledPlugins()
        with mention_overrides(overrides):
            project = load_project(file, overrides, plugins, os.environ, root / "cache", COMMAND_NAMES, written, locked)
            cells = expand_matrix(project)
        store = project.settings.store
        folder = project.folder / store if store else root / "store"
        return cls(project, plugins, cells, root, folder, written is not None)

    def store(self) -> Store:
        """The store, opened."""
        return Store.open(self.store_folder, self.evalfile_key)

    @property
    def replies_folder(self) -> Path:
        """Where the replies of models lie, if any are kept."""
        return self.store_folder / "replies"

    def replies(self) -> ReplyCacheSettings | None:
        """How the replies of models are kept, if they are to be."""
        from evalmake.run.gateways.host_gateways import ReplyCacheSettings

        settings = self.project.settings
        if settings.replies is None:
            return None
        read_only_caches = tuple(str(self.project.folder / name) for name in settings.seeds)
        return ReplyCacheSettings(self.replies_folder, settings.replies.bytes, read_only_caches)

    def executors(self) -> dict[str, Executor]:
        """The executors by name, and that of gateways."""
        from evalmake.plugin_api.executor import NeedsSecrets
        from evalmake.run.secrets import Secrets
        from evalmake.servers.spec import GATEWAYS

        work, get, secrets = self.root / "work", self.plugins.get, Secrets()
        executors = {
            name: get("executors", d.plugin)(name, d.settings, work) for name, d in self.project.executors.items()
        }
        for executor in executors.values():
            if isinstance(executor, NeedsSecrets):
                executor.receive_secrets(secrets.value_of)
        process = get("executors", "process")
        return executors | {GATEWAYS: process(GATEWAYS, process.Settings(), work)}

    def environments(self) -> Environments:
        """The environments of the benchmarks' packages."""
        return Environments(self.store_folder, self.project.lock)

    def graph(self, words: Sequence[Word]) -> Graph:
        """The graph of what `words` name."""
        return self.graph_of(select_targets(self.project, self.cells, words))

    def graph_of(self, chosen: Selection) -> Graph:
        """The graph of a selection; a report by itself brings what it tells of."""
        told = {
            name: (report, cells_of_report(self.project, self.cells, report)) for name, report in chosen.reports.items()
        }
        wanted = dict(chosen.evaluations)
        for _, cells in told.values():
            wanted.update((cell.name, cell) for cell in cells)
        self._no_clash(told)
        self._baselines(told)
        resolved = self.environments().resolved_versions
        graph = build_graph(self.project, wanted.values(), told, self.plugins, resolved)
        check(self.project, graph, self.plugins)
        return graph

    def unpinned(self, graph: Graph) -> list[UnpinnedInput]:
        """What a graph rests on that could be pinned, and is not."""
        used = [self.project.deployments[name] for name in graph.services]
        used += [node.evaluation.benchmark for node in graph.nodes.values()]
        used += [self.project.executors[node.executor] for node in graph.nodes.values()]
        found = {
            each.text: each
            for declared in {id(one): one for one in used}.values()
            for each in unpinned_inputs_of(declared)
            if each.resolvable and each.text not in self.project.lock.pins
        }
        return list(found.values())

    def check_locked(self, graph: Graph) -> None:
        """Under `--locked`, everything that could be pinned is."""
        found = Diagnostics()
        for each in self.unpinned(graph):
            found.error(
                "not-locked",
                f"{each.title} {each.is_or_are} not in {self.project.lock.path.name}",
                each.span,
                "what this means would be decided now",
                about=each.about,
                help=["`evalmake pin` writes what it means to the lock, which is to be checked in"],
            )
        found.check()

    def make_plan(self, graph: Graph, store: Store, forced: bool = False) -> Plan:
        """The plan of `graph` by what the store holds."""

        def why_report(report: ReportNode, changing: bool) -> list[Reason]:
            return self.report_reasons(report, store, changing)

        settings = self.project.settings
        return make_plan(graph, store, _age, why_report, self.project.overrides, forced, settings.confidence)

    def report_reasons(self, report: ReportNode, store: Store, changing: bool) -> list[Reason]:
        """Why a report must be written; `changing` results are reason enough, but a new report is still new."""
        before = store.report_identity(self.report_key(report.declared))
        path = self.report_path(report.declared)
        if before is None:
            return [Reason("never-run", "")]
        if changing:
            return []
        if not path.exists():
            return [Reason("output-missing", f"{report.declared.block.path} is missing")]
        if before.get("(file)") != hash_file(path):
            return [Reason("output-missing", f"{report.declared.block.path} is not what was written")]
        now = self.report_walk(report, store)
        same = {k: v for k, v in before.items() if k != "(file)"} == now
        return [] if same else [Reason("changed", "its results or gates")]

    def report_walk(self, report: ReportNode, store: Store) -> dict[str, str]:
        """The walk of what a report rests on."""
        known = store.histories()
        heads = {node.name: known.get(node.action.digest) for node in report.nodes}
        gates = [f"{g.address} {g.message}" for g in self.gates(report, store)]
        return report_identity(report, heads, gates)

    def gates(self, report: ReportNode, store: Store) -> list[GateResult]:
        """The verdicts on the requirements of a report's cells."""
        heads = {n.name: store.history(n.action.digest) for n in report.nodes}
        return [verdict.result for verdict in self.verdicts(report.nodes, heads, store)]

    def verdicts(
        self, nodes: Sequence[Node], heads: Mapping[str, ActionHistory | None], store: Store
    ) -> list[JudgedGate]:
        """The requirements of `nodes` judged, also over seeds that are not among them."""
        others = self._other_seeds(nodes)
        every = {**heads, **{n.name: store.history(n.action.digest) for n in others}}
        return judge_gates(
            [n.evaluation for n in nodes],
            every,
            self.project.settings.confidence,
            [n.evaluation for n in others],
        )

    def _other_seeds(self, nodes: Sequence[Node]) -> list[Node]:
        """The cells that differ only in their seed from those of `nodes` that have requirements."""
        names = {node.name for node in nodes}
        gated = [node.evaluation for node in nodes if node.evaluation.gates]
        left = [
            cell
            for name in dict.fromkeys(cell.eval for cell in gated)
            for cell in self.cells[name]
            if cell.gates and cell.name not in names
        ]
        if not left:
            return []
        wanted = {address_without_seed(cell) for cell in gated}
        lowering = GraphBuilder(self.project, self.plugins, self.environments().resolved_versions)
        return [lowering.node(cell) for cell in left if address_without_seed(cell) in wanted]

    def unasked(self, asked: Collection[str]) -> Container[str]:
        """The cells left for another time; what was written from Python knows only what it asks."""
        if self.written:
            servers = (*self.project.deployments, *(f"gateway {m}" for m in self.project.models))
            return _Others(frozenset((*asked, *servers)))
        return {cell.name for group in self.cells.values() for cell in group} - set(asked)

    def report_path(self, report: Declaration) -> Path:
        """Where a report is written: relative to the Evalfile."""
        return self.project.folder / str(report.block.path)

    @property
    def evalfile_key(self) -> str:
        """What the store calls this Evalfile: its path from the store, which holds when both move together."""
        return os.path.relpath(self.project.path.absolute(), self.store_folder.absolute())

    def report_key(self, report: Declaration) -> str:
        """What the store calls a report: its file and name."""
        return f"{self.project.path.name}:{report.name}"

    def _baselines(self, told: dict[str, tuple[Declaration, list[Evaluation]]]) -> None:
        """The row that a report compares with is one of its rows; an override may take it out."""
        for name, (report, cells) in told.items():
            wanted, rows = report.block.compare, report.block.rows
            names = {c.eval if rows == "eval" else getattr(c, rows).name for c in cells} if wanted else ()
            if wanted and wanted not in names and not self.project.overrides:
                raise make_error(
                    "unknown-word",
                    f"`compare` cannot be `{wanted}`: the report has no such row",
                    report.fields.spans["compare",].value,
                    about=f"report {name}",
                    notes=[f"its rows are {', '.join(sorted(names))}" if names else "it has no rows"],
                )

    def _no_clash(self, told: dict[str, tuple[Declaration, list[Evaluation]]]) -> None:
        seen: dict[Path, Declaration] = {}
        evalfiles = {file.path for file in self.project.files.files}
        inputs = {Path(path).absolute() for path in self.project.external.hashes.seen} | evalfiles
        for report in self.project.reports.values():
            path = self.report_path(report)
            if Path(os.path.abspath(path)) in inputs:
                raise make_error(
                    "same-path",
                    f"{report.block.path} is an input",
                    report.fields.spans["path",].value,
                    "and this would overwrite it",
                    about=f"report {report.name}",
                    help=["give the report a path of its own"],
                )
            if path in seen:
                first = seen[path]
                raise make_error(
                    "same-path",
                    f"two reports write {report.block.path}",
                    report.fields.spans["path",].value,
                    "written again here",
                    also=[(first.fields.spans["path",].value, "first written here")],
                    about=f"report {report.name}",
                )
            seen[path] = report


@dataclass(frozen=True, slots=True)
class _Others:
    """Every name but these."""

    names: frozenset[str]

    def __contains__(self, name: object) -> bool:
        return name not in self.names


def _age(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def find_evalfile(start: Path) -> Path | None:
    """The nearest `Evalfile` in `start` or above it."""
    for folder in (start, *start.parents):
        if (folder / "Evalfile").is_file():
            return folder / "Evalfile"
    return None
