"""Baselines made of what the store holds, and compared with: paired where the store still has their items."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from evalmake.comparison.baseline_file import Baseline, BaselineResult, BaselineScore, read_baseline
from evalmake.comparison.cells import (
    BENCHMARK,
    DIGITS,
    EVAL,
    MODEL,
    ComparedCell,
    Identity,
    ReadItems,
    Side,
    digest_scores,
    make_sample_reader,
)
from evalmake.language.diagnostic import make_error
from evalmake.language.plural import count_of
from evalmake.language.source import Span
from evalmake.planner.action import ActionResult
from evalmake.results import make_item_reader
from evalmake.scoring.result import Result
from evalmake.scoring.score import Score
from evalmake.store.origin import USER, describe_maker
from evalmake.store.store import Store

PREFIX = "baseline"
_MOST_LACKS = 10
_NO_ITEMS = "the items of the baseline are not in this store"


def make_baseline(name: str, targets: Sequence[str], because: Sequence[str], side: Side) -> Baseline:
    """A baseline of all cells of a side; EvalmakeError if one of them has no result."""
    if not side.cells:
        help = ["`evalmake list` shows the targets"]
        raise make_error("nothing-to-compare", "these targets have no evaluation", help=help)
    lacking = [f"{cell.name}: {cell.lack}" for cell in side.cells if cell.result is None]
    if lacking:
        evaluations = count_of(len(side.cells), "evaluation")
        message = f"{len(lacking)} of {evaluations} lack a result, and a baseline has one of each"
        more = [f"and {len(lacking) - _MOST_LACKS} more"] if len(lacking) > _MOST_LACKS else []
        help = [side.advice, "or name fewer targets"]
        raise make_error("nothing-to-compare", message, notes=[*lacking[:_MOST_LACKS], *more], help=help)
    results = tuple(_make_result(cell) for cell in side.cells)
    return Baseline(name, tuple(targets), tuple(because), results)


def describe_reason(text: str) -> str:
    """A reason with its day and its author, on one line."""
    return f"{datetime.now(UTC):%Y-%m-%d} {describe_maker('')[USER]}: {' '.join(text.split())}"


def _make_result(cell: ComparedCell) -> BaselineResult:
    result = cell.result
    assert result is not None
    known = (EVAL, MODEL, BENCHMARK)
    headline = [score for score in result.scores if score.metric == result.metric]
    others = [score for score in result.scores if score.metric != result.metric]
    return BaselineResult(
        cell.name,
        result.metric,
        {one.metric: BaselineScore(one.value, one.stderr, one.scored, one.unscored) for one in (*headline, *others)},
        cell.place[MODEL],
        cell.place[BENCHMARK],
        cell.seed,
        {axis: value for axis, value in cell.place.items() if axis not in known},
        {part: _cut(digest) for part, digest in cell.identity.digests.items()},
        _cut(result.action),
        result.attempt,
        cell.digest_questions(),
        cell.digest_scores(),
    )


def _cut(digest: str) -> str:
    """The first digits of `xxh128:HEX`."""
    return digest.partition(":")[2][:DIGITS] or digest[:DIGITS]


# --- Comparing with one ------------------------------------------------------------------------------


def side_of_baseline(evalfile: Path, store: Store, name: str, span: Span | None = None) -> Side:
    """The results of a baseline, with their items where the store has them."""
    return make_side(read_baseline(evalfile, name, span), store)


def make_side(baseline: Baseline, store: Store, only: Container[str] | None = None) -> Side:
    """The results of a baseline, with their items where the store has them; of the actions in `only`, if given."""
    read = make_item_reader(store.folder)
    by_action = {_cut(action): action for action in store.histories() if only is None or action in only}
    cells, missing = [], 0
    for one in baseline.results:
        record = find_record(store, one, by_action)
        items = read(record.action, record.attempt) if record and one.items else None
        if record is None or items is None or digest_scores(items) != one.items:
            record, missing = None, missing + bool(one.items)
        cells.append(_make_cell(one, store, record, read))
    notes = [baseline.because[-1]] if baseline.because else []
    if missing:
        notes.append(f"{missing} of {count_of(len(cells), 'result')} not paired: their items are not in this store")
    advice = "`evalmake baseline show` tells what it holds"
    return Side(f"{PREFIX}:{baseline.name}", tuple(cells), tuple(notes), advice)


def find_record(store: Store, one: BaselineResult, by_action: Mapping[str, str]) -> ActionResult | None:
    """The attempt that a line of a baseline is of, if the store has it."""
    action = by_action.get(one.action)
    return store.attempt(action, one.attempt) if action else None


def _make_cell(one: BaselineResult, store: Store, record: ActionResult | None, read: ReadItems) -> ComparedCell:
    place = {EVAL: one.name.partition("/")[0], **one.axes, MODEL: one.model, BENCHMARK: one.benchmark}
    if record is None:
        identity = Identity({part: f"xxh128:{digest}" for part, digest in one.parts.items()})
        lack = _NO_ITEMS if one.items else ""
        stored = _make_stored(one, one.action)
        return ComparedCell(
            one.name, place, one.seed, identity, stored, lack_of_items=lack, asked=one.asked, scored=one.items
        )
    action, attempt = record.action, record.attempt
    return ComparedCell(
        one.name,
        place,
        one.seed,
        Identity.of_digests(record.identity, store),
        _make_stored(one, action),
        read_items=partial(read, action, attempt),
        read_samples=make_sample_reader(store, action, attempt),
    )


def _make_stored(one: BaselineResult, action: str) -> Result:
    scores = tuple(
        Score(metric, score.value, score.stderr, scored=score.scored, unscored=score.unscored)
        for metric, score in one.scores.items()
    )
    return Result(
        name=one.name,
        eval=one.name.partition("/")[0],
        axes=tuple(one.axes.items()),
        model=one.model,
        benchmark=one.benchmark,
        seed=one.seed,
        metric=one.metric,
        scores=scores,
        action=action,
        attempt=one.attempt,
        attempts=one.attempt,
        reused=True,
        started="",
        seconds=0.0,
        usage={},
        harness="the baseline",
    )
