"""One evaluation of a side: its place among the others, its result, and what it is the result of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_128_hexdigest

from evalmake.planner.action import Action
from evalmake.planner.staleness import ActionHistory
from evalmake.project.matrix import Evaluation
from evalmake.results import find_headline, read_sample_lines
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import Item
from evalmake.scoring.result import Result
from evalmake.scoring.sample_counts import asks_all_once
from evalmake.scoring.seed_average import Run
from evalmake.scoring.stopping import is_sequential
from evalmake.store.store import Store

EVAL, MODEL, BENCHMARK, SEED = "eval", "model", "benchmark", "seed"
DIGITS = 12
"""So many hexadecimal digits of a digest find a result again."""
SEED_PATHS = (SEED, "params.seed")
"""The paths of an identity that differ between the seeds of a cell."""


ReadItems = Callable[[str, int], Sequence[Item] | None]
ReadSamples = Callable[[], Iterable[bytes]]


def read_no_items() -> None:
    """The items of a result that left none."""


def read_no_samples() -> tuple[bytes, ...]:
    """The lines of samples of a result that left none."""
    return ()


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
    lack_of_items: str = ""  # why there are no items, where they are not at hand
    asked: str = ""  # of a baseline: a digest of its items, and one of their scores
    scored: str = ""
    read_items: Callable[[], Sequence[Item] | None] = read_no_items
    read_samples: ReadSamples = read_no_samples

    @property
    def run(self) -> Run:
        """What comparisons know of its result."""
        assert self.result is not None
        distinct = asks_all_once(self.result.usage)
        sequential = is_sequential(self.result.usage)
        return Run(self.result.scores, self.read_items, self.result.harness, distinct, self.lack_of_items, sequential)

    def digest_questions(self) -> str:
        """A digest of which items were asked; empty without items."""
        return self.asked or digest_questions(self.read_items() or ())

    def digest_scores(self) -> str:
        """A digest of how each item scored; empty without items."""
        return self.scored or digest_scores(self.read_items() or ())


def digest_questions(items: Sequence[Item]) -> str:
    """A digest of which items were asked, cut for a baseline."""
    return _digest({f"{item.id}\0{item.content}" for item in items})


def digest_scores(items: Sequence[Item]) -> str:
    """A digest of how each item scored, cut for a baseline."""
    return _digest(f"{item.id}\0{item.content}\0{sorted(item.scores.items())}" for item in items)


def _digest(lines: Iterable[str]) -> str:
    found = sorted(lines)
    return xxh3_128_hexdigest("\n".join(found).encode("utf-8", "surrogatepass"))[:DIGITS] if found else ""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sides: its name as it was asked for, its cells, and what a reader must know of it."""

    name: str
    cells: tuple[ComparedCell, ...]
    notes: tuple[str, ...] = ()
    advice: str = ""  # what to do where nothing of it has a result


def describe_place(cell: Evaluation) -> dict[str, str]:
    """Its eval, axes, model and benchmark, without the values of axes in their names; seeds are pooled."""
    axes = {name: str(value) for name, value in cell.axes if name != SEED}
    return {EVAL: cell.eval, **axes, MODEL: cell.model.name, BENCHMARK: cell.benchmark_name}


def make_result(
    name: str, place: Mapping[str, str], seed: int, head: ActionHistory, known: Evaluation | None
) -> Result:
    """The result of a history, for the cell that the Evalfile has of its name, if it has one."""
    block = known.benchmark.block if known else None
    return Result(
        name=name,
        eval=place[EVAL],
        axes=(),
        model=place[MODEL],
        benchmark=place[BENCHMARK],
        seed=seed,
        metric=find_headline(known, head) if known else head.metric,
        scores=head.scores,
        action=head.action,
        attempt=head.success or 0,
        attempts=head.attempts,
        reused=True,
        started=head.started,
        seconds=head.seconds,
        usage=dict(head.usage),
        harness=block.harness if block else "",
        kind=MetricKind(block.scale, block.better) if block else UNKNOWN_KIND,
    )


def make_sample_reader(store: Store, action: str, attempt: int) -> ReadSamples:
    """A function that yields the lines of an attempt's samples; the store is open only meanwhile."""
    folder = store.folder

    def read() -> Iterator[bytes]:
        with Store.read(folder) as opened:
            record = opened.attempt(action, attempt)
            yield from read_sample_lines(opened, record) if record else ()

    return read
