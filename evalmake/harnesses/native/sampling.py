"""Chooses the records that a limit asks: a random part, the same for every seed and model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evalmake.harnesses.native.dataset import Record
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.template import Template

SAMPLING_SEED = "evalmake-sample-1"
"""Fixed, because runs with different seeds must request the same items."""


def sample_records(records: Sequence[Record], limit: int | None, strata: Template | None = None) -> list[Record]:
    """Choose `limit` records by their content alone; they keep the order of the data.

    Records are ranked by a hash of their fingerprint and a fixed seed. So a smaller limit chooses a
    part of a larger one's sample, and adding or reordering records changes no other record's rank.
    Each copy of a record has a rank of its own, as if it were another record.

    With `strata`, which gives the stratum of a record, each stratum has its share of the limit: see `share_limit`.
    """
    if limit is None or limit >= len(records):
        return list(records)
    ranked = rank_records(records)
    if strata is None:
        chosen = ranked[:limit]
    else:
        groups: dict[str, list[Record]] = defaultdict(list)
        for record in ranked:
            groups[strata.text(record.data)].append(record)
        shares = share_limit({name: len(group) for name, group in groups.items()}, limit)
        chosen = [record for name, group in groups.items() for record in group[: shares[name]]]
    return sorted(chosen, key=lambda record: record.index)


def share_limit(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many records of each stratum a limit asks, by the method of the largest remainder.

    Strata with equal remainders are ranked by a hash of their names. A higher limit asks at least as many of each
    stratum, but for the few whose remainder it makes smaller than others' (the Alabama paradox): then one fewer.
    """
    total = sum(sizes.values())
    shares = {name: size * limit // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(sizes[name] * limit % total), fingerprint([SAMPLING_SEED, name])))
    for name in by_remainder[: limit - sum(shares.values())]:
        shares[name] += 1
    return shares


def rank_records(records: Iterable[Record]) -> list[Record]:
    """Records in the random order in which a limit chooses them."""
    copies: Counter[str] = Counter()
    ranked = []
    for record in records:
        number = copies[record.item]
        copies[record.item] += 1
        rank = fingerprint([SAMPLING_SEED, record.item, *([number] if number else [])])
        ranked.append((rank, record.index, record))
    return [record for _, _, record in sorted(ranked, key=lambda one: one[:2])]
