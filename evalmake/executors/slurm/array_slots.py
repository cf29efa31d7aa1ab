"""How many jobs of each batch run at once, so that all together keep their limits.

A limit is of all jobs that bear its name, in however many batches: an array is given a share of what is
free, waits here where nothing is, and is given more when others are over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from evalmake.executors.slurm.batch import Batch

FULL = "waits here: as many run as `slots`, or its model, allows"


def shares(
    sizes: Iterable[int], limits: Collection[Mapping[str, int]], taken: Mapping[str, int]
) -> Iterator[int | None]:
    """How many jobs of each part may run: 0 where it must wait, None where it knows no limit.

    `limits` are those of each part, and `taken` is what others have of them; parts share alike.
    """
    given, among = Counter(taken), Counter(name for names in limits for name in names)
    for size, names in zip(sizes, limits, strict=True):
        free = {name: max(0, limit - given[name]) for name, limit in names.items()}
        alike = [room and max(1, room // among[name]) for name, room in free.items()]
        share = min(alike) if alike else None
        if share is not None:
            share = min(size, share)
            given.update(dict.fromkeys(names, share))
        among.subtract(names.keys())
        yield share


def taken(live: Mapping[Batch, int]) -> Counter[str]:
    """What batches have of each limit, by how many of their jobs are not over."""
    found = Counter[str]()
    for batch, count in live.items():
        found.update(dict.fromkeys(batch.limits, min(batch.at_once, count)))
    return found


def wider(live: Mapping[Batch, int]) -> Iterator[tuple[Batch, int]]:
    """The batches of which more may run now, and how many."""
    given = taken(live)
    for batch, count in live.items():
        free = [limit - given[name] for name, limit in batch.limits.items()]
        more = min(count - batch.at_once, *free) if free else 0
        if more > 0:
            given.update(dict.fromkeys(batch.limits, more))
            yield batch, batch.at_once + more
