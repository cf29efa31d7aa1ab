"""How far the errors of columns go together that ask the same items, as those of two limits or two models do.

What item i adds to the mean of a column is u_i, in proportion to m_i - M and its weight, with m_i its mean over the
runs. The items of a cluster, and copies of a question, are drawn together: S_g is the sum over such a group. With S and
T of two columns,

    r = sum_g S_g T_g / sqrt(sum_g S_g^2 sum_g T_g^2),

which is 0 where no group is in both.  Columns of one benchmark that ask the same records in other words, as by two
prompts, are told by the ids of these records.  So the variance of a sum is the cluster-robust one (Liang and Zeger
1986), each item being one cluster.  Where nothing tells r, it is taken for 1, which makes no interval too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from evalmake.scoring.item import Answers, Key, collect_answers, find_influences
from evalmake.scoring.seed_average import Run


@dataclass(frozen=True, slots=True)
class AskedColumn:
    """The runs behind one column, and the benchmarks that they ask."""

    metric: str
    runs: Sequence[Run]
    benchmarks: frozenset[str]

    def answers(self) -> dict[Key, Answers] | None:
        """The scored items of all runs; None if a run left none."""
        items = [run.items(self.metric) for run in self.runs]
        left = [one for one in items if one is not None]
        if len(left) < len(items):
            return None
        return {key: one for key, one in collect_answers(left, self.metric).items() if one.values}


def correlate_columns(columns: Sequence[AskedColumn]) -> list[list[float]] | None:
    """The correlations of columns, each with each; None if no two have an item in common."""
    answers = [column.answers() for column in columns] if len(columns) > 1 else []
    found = [[float(i == j) for j in range(len(columns))] for i in range(len(columns))]
    for i in range(len(columns)):
        for j in range(i):
            same = columns[i].benchmarks & columns[j].benchmarks
            found[i][j] = found[j][i] = _correlate(answers[i], answers[j], bool(same))
    return found if any(found[i][j] for i in range(len(columns)) for j in range(i)) else None


def _correlate(ours: Mapping[Key, Answers] | None, theirs: Mapping[Key, Answers] | None, same: bool) -> float:
    if ours is None or theirs is None:
        return float(same)
    joined = _join_records(ours, theirs) if same else {}
    a, b = _sum_groups(ours, same, "a", joined), _sum_groups(theirs, same, "b", joined)
    common = a.keys() & b.keys()
    if not common:
        return 0.0
    if not same and any(one.cluster is not None for side in (ours, theirs) for one in side.values()):
        return 1.0
    size = math.sqrt(math.fsum(s * s for s in a.values()) * math.fsum(s * s for s in b.values()))
    together = math.fsum(a[group] * b[group] for group in common)
    return max(-1.0, min(1.0, together / size)) if size else 1.0


def _join_records(ours: Mapping[Key, Answers], theirs: Mapping[Key, Answers]) -> dict[Hashable, Hashable]:
    """One name for the groups of a record that the two sides ask in other words, by its id.

    An id that one side has for several questions tells no record.
    """
    a, b = _find_groups(ours), _find_groups(theirs)
    known = {*a.values()} & {*b.values()}
    joined: dict[Hashable, Hashable] = {}
    for id in a.keys() & b.keys():
        if a[id] is not None and b[id] is not None and not {a[id], b[id]} & known:
            first, other = (_follow(joined, side[id]) for side in (a, b))
            if first != other:
                joined[other] = first
    return {group: _follow(joined, group) for group in joined}


def _find_groups(answers: Mapping[Key, Answers]) -> dict[str, Hashable]:
    """The group of each id; None for one that stands for several."""
    found: dict[str, Hashable] = {}
    for (id, _), one in answers.items():
        found[id] = one.group if found.setdefault(id, one.group) == one.group else None
    return found


def _follow(joined: Mapping[Hashable, Hashable], group: Hashable) -> Hashable:
    while group in joined:
        group = joined[group]
    return group


def _sum_groups(
    answers: Mapping[Key, Answers], same: bool, side: str, joined: Mapping[Hashable, Hashable]
) -> dict[Hashable, float]:
    """What each group adds to the mean. Ids and clusters of one benchmark say nothing of those of another."""
    means = [math.fsum(one.values) / len(one.values) for one in answers.values()]
    influences = find_influences(means, [one.weight for one in answers.values()])
    sums: dict[Hashable, float] = {}
    for (key, one), influence in zip(answers.items(), influences, strict=True):
        known = one.question != key[0]  # or else its id stands for what was asked
        group = one.group if same else ("question", one.question) if known else (side, key)
        group = joined.get(group, group)
        sums[group] = sums.get(group, 0.0) + influence
    return sums
