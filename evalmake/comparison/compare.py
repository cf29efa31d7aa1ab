"""Two sides compared: pairs, verdicts, what else differs, and the items that flipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evalmake.comparison.cells import ComparedCell, Side
from evalmake.comparison.differences import Differences, find_differences
from evalmake.comparison.flips import Flip, find_flips
from evalmake.comparison.pairing import CellPair, explain_no_pair, pair_cells
from evalmake.language.diagnostic import make_error
from evalmake.language.plural import count_of
from evalmake.scoring.benchmark_change import ChangedRuns, ChangeSet, compare_changes
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind, find_metric
from evalmake.scoring.verdict import NO_MARGIN, Margin

_MOST_LACKS = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that `evalmake compare` tells."""

    before: Side
    after: Side
    pairs: tuple[CellPair, ...]
    found: ChangeSet
    differences: Differences
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by label
    flips: Mapping[str, tuple[Flip, ...]] = field(default_factory=dict)


def compare_sides(
    before: Side,
    after: Side,
    confidence: float = 0.95,
    margin: Margin = NO_MARGIN,
    metric: str = "",
    with_flips: bool = False,
) -> Comparison:
    """Compare what two sides have in common; EvalmakeError where that is nothing."""
    pairing = pair_cells(before.cells, after.cells)
    if not pairing.pairs:
        raise _nothing_in_common(before, after)
    if not any(cell.result for pair in pairing.pairs for cell in pair.before):
        raise _no_result(before, [cell for pair in pairing.pairs for cell in pair.before])
    if not any(cell.result for pair in pairing.pairs for cell in pair.after):
        raise _no_result(after, [cell for pair in pairing.pairs for cell in pair.after])
    asked = [_ask(pair, metric, (before.name, after.name)) for pair in pairing.pairs]
    if metric and not any(one.metric for one in asked):
        raise _no_metric(metric, pairing.pairs)
    found = compare_changes(asked, confidence, margin, (before.name, after.name))
    flips = {}
    if with_flips:
        flips = {
            pair.label: find_flips(pair, one.metric, one.kind)
            for pair, one in zip(pairing.pairs, asked, strict=True)
            if not one.lack
        }
    return Comparison(
        before,
        after,
        pairing.pairs,
        found,
        find_differences(pairing.pairs),
        pairing.only_before,
        pairing.only_after,
        {pair.label: tuple(_list_notes(pair)) for pair in pairing.pairs},
        flips,
    )


def _ask(pair: CellPair, wanted: str, names: tuple[str, str]) -> ChangedRuns:
    """The runs of a pair, or why they cannot be compared."""
    sides = [[cell for cell in side if cell.result] for side in (pair.before, pair.after)]
    for name, cells, side in zip(names, sides, (pair.before, pair.after), strict=True):
        if len(cells) < len(side):
            lacking = [cell for cell in side if cell.result is None]
            text = f"{lacking[0].name} of {name} has no result: {lacking[0].lack}"
            more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
            return ChangedRuns(pair.label, wanted, lack=f"{text}{more}")
    before, after = sides
    metrics = [_find_metric(side[0], wanted) for side in sides]
    if not all(metrics):
        name = names[metrics.index("")]
        return ChangedRuns(pair.label, "", lack=f"{name} has no metric `{wanted}`")
    if metrics[0] != metrics[1]:
        lack = f"the headline metrics differ, {metrics[0]} against {metrics[1]}: choose one with --metric"
        return ChangedRuns(pair.label, metrics[0], lack=lack)
    return ChangedRuns(
        pair.label,
        metrics[0],
        [cell.run for cell in before],
        [cell.run for cell in after],
        _find_kind(after, metrics[0]),
        pair.is_same_result,
    )


def _list_notes(pair: CellPair) -> Iterator[str]:
    """What a reader must know of a pair: that seeds or items are not the same."""
    one, other = ({cell.seed for cell in side if cell.result} for side in (pair.before, pair.after))
    if len(one) != len(other):
        yield f"{count_of(len(one), 'seed')} against {len(other)}"
    if pair.asked_others:
        yield "the baseline is of other items"


def _find_metric(cell: ComparedCell, wanted: str) -> str:
    """The metric to compare: the headline, or the wanted one; empty if it was not reported."""
    assert cell.result is not None
    if not wanted:
        return cell.result.metric
    return find_metric(wanted, (score.metric for score in cell.result.scores)) or ""


def _find_kind(cells: Sequence[ComparedCell], metric: str) -> MetricKind:
    """What the benchmark says of its headline."""
    result = cells[0].result
    return result.kind if result and result.metric == metric else UNKNOWN_KIND


def _nothing_in_common(before: Side, after: Side) -> Exception:
    message = f"`{before.name}` and `{after.name}` have nothing in common to compare"
    notes = list(explain_no_pair(before.cells, after.cells))
    help = ["name targets that ask the same benchmarks, one model on each side; `evalmake list` shows the targets"]
    return make_error("nothing-to-compare", message, notes=notes, help=help)


def _no_result(side: Side, cells: Sequence[ComparedCell]) -> Exception:
    notes = [f"{cell.name}: {cell.lack}" for cell in cells[:_MOST_LACKS]]
    if len(cells) > _MOST_LACKS:
        notes.append(f"and {len(cells) - _MOST_LACKS} more")
    message = f"`{side.name}` has no result to compare"
    return make_error("nothing-to-compare", message, notes=notes, help=[side.advice or "run them first: `evalmake`"])


def _no_metric(metric: str, pairs: Sequence[CellPair]) -> Exception:
    results = [cell.result for pair in pairs for cell in (*pair.before, *pair.after) if cell.result]
    known = dict.fromkeys(score.metric for result in results for score in result.scores)
    help = [f"metrics on record: {', '.join(known)}"]
    return make_error("nothing-to-compare", f"no result has a metric `{metric}`", help=help)
