"""Data sets of the hub: those that are cached belong to their benchmarks, and a build downloads the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic
from evalmake.pins.hub_address import hub_address
from evalmake.pins.hub_cache import HubCache, Selection
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import ReadsHub
from evalmake.project.declarations import Declaration
from evalmake.project.pinned_inputs import unpinned_inputs_of
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.run.events import DatasetEnded, DatasetProgressed, DatasetStarted, Emit


def find_selections(nodes: Iterable[Node], plugins: PluginRegistry) -> Iterator[tuple[Declaration, Selection]]:
    """The benchmarks that read data sets of the hub, each once, with what they read."""
    for benchmark in {id(node.evaluation.benchmark): node.evaluation.benchmark for node in nodes}.values():
        harness = plugins.get("harnesses", benchmark.plugin)
        selection = harness.hub_selection(benchmark) if isinstance(harness, ReadsHub) else None
        if selection is not None:
            yield benchmark, selection


def awaits_data(benchmark: Declaration, harness: object) -> bool:
    """Whether a benchmark reads a data set of the hub that is not here yet."""
    return isinstance(harness, ReadsHub) and harness.hub_selection(benchmark) is not None and not benchmark.fetched


def is_pinned(benchmark: Declaration) -> bool:
    """Whether the data set of a benchmark is known by its commit, so that it cannot change."""
    return all(each.sort != "dataset" for each in unpinned_inputs_of(benchmark))


def attach_datasets(nodes: Iterable[Node], plugins: PluginRegistry) -> None:
    """Give benchmarks the files of their data sets that are cached here; nobody is asked."""
    cache = HubCache()
    for benchmark, selection in find_selections(nodes, plugins):
        if benchmark.fetched is None and is_pinned(benchmark):
            benchmark.fetched = cache.find(selection)


def find_missing_datasets(nodes: Iterable[Node], plugins: PluginRegistry) -> list[Selection]:
    """The data sets that a build of these nodes downloads."""
    return [selection for benchmark, selection in find_selections(nodes, plugins) if benchmark.fetched is None]


def fetch_datasets(nodes: Iterable[Node], plugins: PluginRegistry, emit: Emit) -> bool:
    """Download the data sets that are not here, and damaged files again; whether there were any.

    EvalmakeError with all that cannot be downloaded.
    """
    problems: list[Diagnostic] = []
    cache, fetched = HubCache(), False
    for benchmark, selection in find_selections(nodes, plugins):
        if benchmark.fetched is not None and not cache.drop_damaged(benchmark.fetched):
            continue
        try:
            _fetch(cache, benchmark, selection, emit)
            fetched = True
        except _NotFetched as error:
            problems.append(error.diagnostic)
    if problems:
        raise EvalmakeError(problems)
    return fetched


class _NotFetched(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _fetch(cache: HubCache, benchmark: Declaration, selection: Selection, emit: Emit) -> None:
    from evalmake.pins.registry_client import UnresolvedName

    name = str(selection)
    emit(DatasetStarted(name, hub_address()))
    try:
        benchmark.fetched = cache.fetch(selection, lambda done, total: emit(DatasetProgressed(name, done, total)))
    except UnresolvedName as error:
        help_ = error.help or (
            "try again with a network; what is downloaded once is used from the cache",
            "behind a mirror, set HF_ENDPOINT to its address",
        )
        raise _NotFetched(_describe(benchmark, selection, str(error), help_)) from None
    except OSError as error:
        why = f"{error.filename or cache.folder}: {error.strerror or error}"
        raise _NotFetched(_describe(benchmark, selection, why, ("make room, or set XDG_CACHE_HOME",))) from None
    finally:
        emit(DatasetEnded(name))


def _describe(benchmark: Declaration, selection: Selection, why: str, help_: Iterable[str]) -> Diagnostic:
    span = benchmark.fields.spans["dataset",].value
    message = f"the data set {selection} cannot be downloaded: {why}"
    return make_diagnostic("download-failed", message, span, about=f"benchmark {benchmark.name}", help=tuple(help_))
