"""One evaluation of a side: its place among the others, its result, and what it is the result of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from evalmake.planner.action import Action
from evalmake.planner.graph import Node
from evalmake.planner.staleness import find_lack, find_valid_records
from evalmake.results import collect_results, make_item_reader
from evalmake.scoring.item import Item
from evalmake.scoring.result import Result
from evalmake.scoring.sample_counts import SAMPLES, asks_all_once
from evalmake.scoring.seed_average import Run
from evalmake.store.store import Store

EVAL, MODEL, BENCHMARK, SEED = "eval", "model", "benchmark", "seed"
SEED_PATHS = (SEED, "params.seed")
"""The paths of an identity that differ between the seeds of a cell."""


def read_nothing() -> None:
    """The items or samples of a result that left none."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The parts of an identity by their digests, and the walks of those that are at hand."""

    digests: Mapping[str, str] = field(default_factory=dict)
    walks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of_action(cls, action: Action) -> Identity:
        """That of an evaluation of an Evalfile."""
        return cls({name: part.digest for name, part in action.parts}, {n: dict(p.pairs) for n, p in action.parts})

    def without_seed(self) -> Hashable:
        """What is the same of all seeds of a cell."""
        own = self.walks.get("")
        kept = self.digests.get("", "") if own is None else frozenset(p for p in own.items() if p[0] not in SEED_PATHS)
        return kept, *(pair for pair in sorted(self.digests.items()) if pair[0])

    @classmethod
    def of_digests(cls, digests: Mapping[str, str], store: Store) -> Identity:
        """That of a record, with the walks that the store has."""
        walks = {name: walk for name, digest in digests.items() if (walk := store.part(digest)) is not None}
        return cls(digests, walks)


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One evaluation of a side. Without a result, `lack` says why there is none."""

    name: str
    place: Mapping[str, str]  # eval, model, benchmark and all axes but the seed, as text
    seed: int
    identity: Identity
    result: Result | None = None
    lack: str = ""
    read_items: Callable[[], Sequence[Item] | None] = read_nothing
    read_samples: Callable[[], bytes | None] = read_nothing

    @property
    def run(self) -> Run:
        """What comparisons know of its result."""
        assert self.result is not None
        distinct = asks_all_once(self.result.usage)
        return Run(self.result.scores, self.read_items, self.result.harness, distinct)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sides: its name as it was asked for, its cells, and what a reader must know of it."""

    name: str
    cells: tuple[ComparedCell, ...]
    notes: tuple[str, ...] = ()
    advice: str = ""  # what to do where nothing of it has a result


def read_cells(nodes: Iterable[Node], store: Store) -> tuple[ComparedCell, ...]:
    """The cells of an Evalfile with their results, which the store has by the digest of the action."""
    asked = list(nodes)
    found = collect_results("", asked, find_valid_records(asked, store), frozenset(), "")
    results = {result.name: result for result in found.results}
    read = make_item_reader(store.folder)
    return tuple(_make_cell(node, results.get(node.name), store, read) for node in asked)


ReadItems = Callable[[str, int], Sequence[Item] | None]


def _make_cell(node: Node, result: Result | None, store: Store, read: ReadItems) -> ComparedCell:
    cell = node.evaluation
    axes = {name: str(value) for name, value in cell.axes if name != SEED}
    place = {EVAL: cell.eval, **axes, MODEL: cell.model.name, BENCHMARK: cell.benchmark.name}
    identity = Identity.of_action(node.action)
    if result is None:
        return ComparedCell(cell.name, place, cell.seed, identity, lack=_explain_lack(node, store))
    return ComparedCell(
        cell.name,
        place,
        cell.seed,
        identity,
        result,
        read_items=partial(read, result.action, result.attempt),
        read_samples=make_sample_reader(store, result.action, result.attempt),
    )


def make_sample_reader(store: Store, action: str, attempt: int) -> Callable[[], bytes | None]:
    """A function that reads the samples of an attempt; the store is open only while it does."""
    folder = store.folder

    def read() -> bytes | None:
        with Store.read(folder) as opened:
            record = opened.attempt(action, attempt)
            return opened.output(record, SAMPLES) if record else None

    return read


def _explain_lack(node: Node, store: Store) -> str:
    if lack := find_lack(node.demands, store.history(node.action.digest)):
        return lack
    if store.baseline(node.name) is not None:
        return "what is on record is of another definition"
    return "it has not run"
