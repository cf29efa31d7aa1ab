"""How many jobs of each array run at once, so that all arrays together keep their limits.

A limit counts all jobs that bear its name, in however many batches. Each array gets a share of the free
slots when it is submitted, and a larger share when other jobs have ended. If nothing is free, it waits here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from evalmake.executors.slurm.batch import Batch

NO_FREE_SLOT = "waits here: as many jobs run as `slots` or the model allows"


def divide_slots(
    sizes: Iterable[int], limits: Collection[Mapping[str, int]], used: Mapping[str, int]
) -> Iterator[int | None]:
    """Yield how many jobs of each part may run at once: 0 if it must wait, None if it has no limit.

    `sizes` and `limits` belong to the parts, and `used` counts what others use of each limit. Parts with the
    same limit get equal shares.
    """
    given, sharers = Counter(used), Counter(name for names in limits for name in names)
    for size, names in zip(sizes, limits, strict=True):
        free = {name: max(0, limit - given[name]) for name, limit in names.items()}
        equal = [room and max(1, room // sharers[name]) for name, room in free.items()]
        share = min(equal) if equal else None
        if share is not None:
            share = min(size, share)
            given.update(dict.fromkeys(names, share))
        sharers.subtract(names.keys())
        yield share


def count_used(unfinished: Mapping[Batch, int]) -> Counter[str]:
    """Return how much of each limit the batches use, given how many of their jobs are not over."""
    found = Counter[str]()
    for batch, count in unfinished.items():
        found.update(dict.fromkeys(batch.limits, min(batch.at_once, count)))
    return found


def find_wider_shares(unfinished: Mapping[Batch, int]) -> Iterator[tuple[Batch, int]]:
    """Yield the batches of which more jobs may run at once now, and how many."""
    given = count_used(unfinished)
    for batch, count in unfinished.items():
        free = [limit - given[name] for name, limit in batch.limits.items()]
        added = min(count - batch.at_once, *free) if free else 0
        if added > 0:
            given.update(dict.fromkeys(batch.limits, added))
            yield batch, batch.at_once + added
