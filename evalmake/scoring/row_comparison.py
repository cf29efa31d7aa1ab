"""A row of a report against another: the same items, asked of both.

Each item's scores are averaged over its runs and repetitions first; the unit is the item, or the
cluster of items.  An item is paired where both its id and the hash of its content agree, and the
rest is counted: scores of different questions say nothing of the models.

The interval is Student's t of the paired differences (`comparisons.paired`).  p is McNemar's exact
test where every score is 0 or 1, the exact sign-flip test for up to 20 other items, else the t
test; with clusters it is always the t test of the clusters.  Items that all differ by the same
leave nothing to test, unless that is nothing: then p = 1.  Over all row_comparisons of a report p is
adjusted by Holm's method.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from evalmake.scoring.comparisons import Difference, mcnemar, paired_difference, sign_flip
from evalmake.scoring.multiple_comparisons import holm
from evalmake.scoring.power import mde_paired

Test = Literal["McNemar", "sign flip", "t", "clustered t", "none"]
ENUMERATED = 20


class Item(NamedTuple):
    """One item asked once: its id, the hash of its content, its scores by metric, its cluster."""

    id: str
    content: str
    scores: Mapping[str, float]
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class RowComparison:
    """row - baseline in one column.  Without a difference, `note` says why there is none."""

    row: str
    column: str
    baseline: str
    metric: str
    difference: Difference | None = None
    p: float | None = None  # two-sided
    p_holm: float | None = None  # by Holm's method
    test: Test = "none"
    unpaired: int = 0  # items of either that the other has not, or has otherwise, or not scored
    detectable: float | None = None  # what so many items show with a power of 80 %
    note: str = ""


@dataclass(slots=True)
class _Answers:
    """What the runs of one side say of an item."""

    values: list[float]
    cluster: str | None


def compare_rows(
    row: str,
    column: str,
    baseline: str,
    metric: str,
    ours: Iterable[Sequence[Item]],
    theirs: Iterable[Sequence[Item]],
    confidence: float,
) -> RowComparison:
    """`row` against `baseline`, the items of the runs of each given."""
    here, there = _by_item(ours, metric), _by_item(theirs, metric)
    common = sorted(key for key in here.keys() & there.keys() if _known(here[key], there[key]))
    paired_ids = {id for id, _ in common}
    unpaired = len({id for id, _ in here.keys() | there.keys()} - paired_ids)
    plain = RowComparison(row, column, baseline, metric, unpaired=unpaired)
    if not common:
        return replace(plain, note="the two have no scored item in common")
    sides = [[side[key].values for key in common] for side in (here, there)]
    a, b = ([math.fsum(values) / len(values) for values in side] for side in sides)
    clusters = [here[key].cluster for key in common]
    grouped = any(cluster is not None for cluster in clusters)
    groups = [(id, "") if cluster is None else ("", cluster) for cluster, (id, _) in zip(clusters, common, strict=True)]
    found = paired_difference(a, b, groups if grouped else None, confidence)
    p, test = _p(found, a, b, grouped)
    detectable = None
    if found.stderr:
        detectable = mde_paired(found.stderr * math.sqrt(found.n), found.n, 1 - confidence)
    return replace(plain, difference=found, p=p, test=test, detectable=detectable)


def adjust_p_values(row_comparisons: Sequence[RowComparison]) -> tuple[RowComparison, ...]:
    """The same, each p adjusted for all the others."""
    values = iter(holm([one.p for one in row_comparisons if one.p is not None]))
    return tuple(one if one.p is None else replace(one, p_holm=next(values)) for one in row_comparisons)


def average_items(items: Iterable[Item], metric: str) -> float | None:
    """The mean over the items of one run, repetitions averaged inside each first."""
    answers = _by_item([list(items)], metric).values()
    means = [math.fsum(one.values) / len(one.values) for one in answers if one.values]
    return math.fsum(means) / len(means) if means else None


def _by_item(runs: Iterable[Sequence[Item]], metric: str) -> dict[tuple[str, str], _Answers]:
    """The scores by id and content; an item without a score has none, and is there all the same."""
    found: dict[tuple[str, str], _Answers] = {}
    for items in runs:
        for item in items:
            answers = found.setdefault((item.id, item.content), _Answers([], item.cluster))
            if metric in item.scores:
                answers.values.append(item.scores[metric])
    return found


def _known(*sides: _Answers) -> bool:
    return all(side.values for side in sides)


def _p(found: Difference, a: Sequence[float], b: Sequence[float], grouped: bool) -> tuple[float | None, Test]:
    """The two-sided p and its test; none where all items differ by the same."""
    if not grouped and all(value in (0, 1) for value in (*a, *b)):
        wins = sum(x > y for x, y in zip(a, b, strict=True))
        losses = sum(x < y for x, y in zip(a, b, strict=True))
        return mcnemar(wins, losses).exact, "McNemar"
    if all(math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12) for x, y in zip(a, b, strict=True)):
        return 1.0, "none"
    if found.stderr == 0:
        return None, "none"
    if not grouped and found.n <= ENUMERATED:
        return sign_flip([x - y for x, y in zip(a, b, strict=True)]), "sign flip"
    if found.p is None:
        return None, "none"
    return found.p, "clustered t" if grouped else "t"
