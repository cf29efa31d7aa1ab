"""A workspace: a loaded Evalfile, its plugins, and the folders of its state. Every command starts from it."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalmake.command_registry import COMMAND_NAMES
from evalmake.disk_database import is_only_readable
from evalmake.file_modes import share_with_group
from evalmake.language.diagnostic import make_error
from evalmake.language.source import Source
from evalmake.planner.graph import FindAdditions, FindVersions, Graph, GraphBuilder, additions_of_harness, build_graph
from evalmake.plugins import InstalledPlugins
from evalmake.preflight.context import GraphContext
from evalmake.preflight.run_all import check_graph
from evalmake.project.command_words import Word, Words
from evalmake.project.declarations import Declaration
from evalmake.project.loader import load_project
from evalmake.project.matrix import Evaluation, expand_matrix
from evalmake.project.overrides import mention_overrides
from evalmake.project.project import Project
from evalmake.project.relations import check_relations
from evalmake.project.targets import Selection, cells_of_report, select_targets
from evalmake.project.workspace_links import check_links, check_store_links
from evalmake.run.environments.environments import Environments
from evalmake.run.hub_data import attach_datasets
from evalmake.store.journal import Journal
from evalmake.store.store import Store

if TYPE_CHECKING:
    from evalmake.plugin_api.executor import Executor
    from evalmake.run.gateways.host_gateways import ReplyCacheSettings


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line or Python requests."""

    file: Path
    words: Words
    dry_run: bool = False
    output: Path | None = None
    plan: Path | None = None
    jobs: int | None = None
    keep_going: bool = False
    always: bool = False
    because: str = ""  # why everything runs again, for the record
    question: bool = False
    verbosity: int = 0
    json: bool = False
    locked: bool = False
    detach: bool = False
    smoke: bool = False  # see `evalmake.smoke`
    owns_process: bool = False  # see `cli.run`
    argv: tuple[str, ...] = ()
    source: Source | None = None  # the text to read in place of `file`
    settle: float = 0.0  # see `load_project`
    sign: tuple[str, ...] = ()  # the private keys that sign `output`: files, or `secret:NAME`
    environment: Mapping[str, str] | None = None  # what `env()` reads, if not the environment of this process
    own_store: bool = False  # see `Workspace.open`
    keys: tuple[Path, ...] = ()  # the public keys of all who must have signed `plan`


@dataclass(slots=True)
class Workspace:
    """A loaded Evalfile with its cells, and the folders of its state."""

    project: Project
    plugins: InstalledPlugins
    cells: dict[str, list[Evaluation]]
    root: Path
    store_folder: Path
    from_python: bool = False
    find_versions: FindVersions | None = None  # without it, those that are installed here
    find_additions: FindAdditions = additions_of_harness

    @classmethod
    def open(
        cls,
        file: Path,
        overrides: Sequence[Word] = (),
        source: Source | None = None,
        locked: bool = True,
        settle: float = 0.0,
        environment: Mapping[str, str] | None = None,
        own_store: bool = False,
    ) -> Workspace:
        """Load the Evalfile and expand its matrix.

        `locked = False` leaves out what the lock pins. An axis over folders has those that were quiet for `settle`
        seconds. `env()` reads from `environment`, or else from that of this process. With `own_store`, results and
        replies are those of this folder alone, whatever the Evalfile says.
        """
        root = file.absolute().parent / ".evalmake"
        _check_path(root)
        check_links(root, file)
        plugins = InstalledPlugins()
        known = os.environ if environment is None else environment
        with mention_overrides(overrides):
            project = load_project(
                file, overrides, plugins, known, root / "cache", COMMAND_NAMES, source, locked, settle
            )
            cells = expand_matrix(project)
            check_relations(project, cells)
        if own_store:
            project.settings = project.settings.model_copy(update={"store": None, "seeds": ()})
        store = project.settings.store
        folder = project.folder / store if store else root / "store"
        _check_path(folder)
        check_store_links(folder, file)
        return cls(project, plugins, cells, root, folder, source is not None)

    def store(self) -> Store:
        """The store, opened for writing; for reading where this user may not write to it."""
        if is_only_readable(self.store_folder):
            return self.read_store()
        self.share_store()
        return Store.open(self.store_folder, self.evalfile_key)

    def share_store(self) -> None:
        """Let the group write to the store, where the settings say so; call it before anything is written there."""
        if self.project.settings.shared and not is_only_readable(self.store_folder):
            share_with_group(self.store_folder)

    def read_store(self) -> Store:
        """The store, opened for reading: nothing is written to it, and it need not exist."""
        return Store.read(self.store_folder, self.evalfile_key)

    @property
    def reply_cache_folder(self) -> Path:
        """The folder of the reply cache."""
        return self.store_folder / "replies"

    def reply_cache_settings(self) -> ReplyCacheSettings | None:
        """The settings of the reply cache, or None without one."""
        from evalmake.run.gateways.host_gateways import ReplyCacheSettings

        settings = self.project.settings
        if settings.replies is None:
            return None
        read_only_caches = tuple(str(self.project.folder / name) for name in settings.seeds)
        return ReplyCacheSettings(
            self.reply_cache_folder, settings.replies.bytes, read_only_caches, settings.shared == "group"
        )

    def executors(self) -> dict[str, Executor]:
        """All executors by name, and the one that runs gateways."""
        from evalmake.servers.spec import GATEWAYS

        process = self.plugins.get("executors", "process")
        gateways: Executor = process(GATEWAYS, process.Settings(), self.root / "work")
        return {name: self.executor(name) for name in self.project.executors} | {GATEWAYS: gateways}

    def executor(self, name: str) -> Executor:
        """A new executor, as declared."""
        from evalmake.plugin_api.executor import NeedsSecrets
        from evalmake.run.secrets import Secrets

        declared = self.project.executors[name]
        plugin = self.plugins.get("executors", declared.plugin)
        executor: Executor = plugin(name, declared.settings, self.root / "work")
        if isinstance(executor, NeedsSecrets):
            executor.receive_secrets(Secrets().value_of)
        return executor

    def environments(self) -> Environments:
        """The environments of the benchmarks' packages."""
        return Environments(self.store_folder, self.project.lock)

    def graph(self, words: Sequence[Word], locked: bool = False) -> Graph:
        """The checked graph of what `words` name; under `locked`, all its inputs must be pinned."""
        return self.graph_of(select_targets(self.project, self.cells, words), locked)

    def graph_of(self, selection: Selection, locked: bool = False) -> Graph:
        """The checked graph of a selection; a report that is selected brings the cells it shows."""
        graph = self.unchecked_graph_of(selection)
        check_graph(GraphContext(self.project, self.plugins, graph, locked=locked))
        return graph

    def unchecked_graph_of(self, selection: Selection) -> Graph:
        """The graph of a selection, whether or not it can be run from here."""
        reports = {
            name: (report, cells_of_report(self.project, self.cells, report))
            for name, report in selection.reports.items()
        }
        cells = dict(selection.evaluations)
        for _, shown in reports.values():
            cells.update((cell.name, cell) for cell in shown)
        graph = build_graph(self.graph_builder(), cells.values(), reports)
        of_reports = (node for report in graph.reports.values() for node in report.nodes)
        attach_datasets([*graph.nodes.values(), *of_reports], self.plugins)
        return graph

    def graph_builder(self) -> GraphBuilder:
        """What makes nodes of cells."""
        find_versions = self.find_versions or self.environments().resolved_versions
        return GraphBuilder(self.project, self.plugins, find_versions, self.find_additions)

    def other_targets(self, chosen: Collection[str]) -> Container[str]:
        """Return the targets that a build does not touch: all others of the Evalfile.

        An Evalfile made by `evaluate` names only what it runs, so any other name may be a target.
        """
        if self.from_python:
            servers = (*self.project.deployments, *(f"gateway {m}" for m in self.project.models))
            return _AllExcept(frozenset((*chosen, *servers)))
        return {cell.name for group in self.cells.values() for cell in group} - set(chosen)

    def has_jobs_left(self) -> bool:
        """Whether a killed build left a job, or the folder of one."""
        folders = self.root / "work"
        entries = Journal(self.root / "journal").entries()
        return any(True for _ in entries) or (folders.exists() and any(folders.iterdir()))

    def forget_builds(self) -> None:
        """Forget what the journal knows of builds that were killed; of those whose jobs run, it is kept."""
        Journal(self.root / "journal").forget_builds()

    def report_path(self, report: Declaration) -> Path:
        """The file of a report: its path is relative to the Evalfile."""
        return self.project.folder / str(report.block.path)

    def input_paths(self) -> set[str]:
        """Every file and folder that loading read, and those that it found missing."""
        project = self.project
        paths = {str(path) for path in project.external.hashes.seen}
        paths |= {str(file.path) for file in project.files.files}
        paths |= project.files.watched | project.external.watched
        return paths | {str(project.path.with_suffix(".lock").absolute())}

    @property
    def evalfile_key(self) -> str:
        """The key of this Evalfile in the store: its path relative to the store, so that both can move together."""
        return os.path.relpath(self.project.path.absolute(), self.store_folder.absolute())

    def report_key(self, report: Declaration) -> str:
        """The name of a report in the store."""
        return f"{self.project.path.name}:{report.name}"


@dataclass(frozen=True, slots=True)
class _AllExcept:
    """Every name except these."""

    names: frozenset[str]

    def __contains__(self, name: object) -> bool:
        return name not in self.names


def _check_path(folder: Path) -> None:
    """Refuse a path that is no text, as reports could not name it, or that diskcache would take for another."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(folder.parent).decode("utf-8", "backslashreplace")
        message = f"the path of the project is not UTF-8: {shown}"
        raise make_error("not-utf8", message, help=["rename the folder"]) from None
    if os.path.expandvars(folder) != str(folder):
        message = f"cannot use {folder}: its name has a variable of the environment"
        raise make_error("store-failed", message, help=["rename the folder"])


def find_evalfile(start: Path) -> Path | None:
    """The nearest `Evalfile` in `start` or above it."""
    for folder in (start, *start.parents):
        if (folder / "Evalfile").is_file():
            return folder / "Evalfile"
    return None
