"""What becomes of damaged results: they count for nothing, so that their evaluations run again."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.store import Store


def drop_damaged_results(store: Store, actions: Iterable[str]) -> None:
    """Drop the results of these actions that `Store.find_damage` finds damaged."""
    for action in actions:
        if (head := store.history(action)) is not None and (reason := store.find_damage(head)):
            store.drop_result(action, reason)


def drop_damaged_samples(store: Store, actions: Iterable[str]) -> bool:
    """Drop the results of these actions whose samples are not what they were; whether there is one."""
    heads = filter(None, map(store.history, actions))
    results = [store.proved_result(head) for head in heads if head.success is not None]
    samples = {output.sha256 for result in results for output in result.outputs if output.name == SAMPLES}
    damaged = [blob for blob in samples if not store.blobs.is_whole(blob)]
    for blob in damaged:
        drop_output(store, blob)
    return bool(damaged)


def drop_output(store: Store, blob: str) -> None:
    """Remove an output whose content is damaged, and drop the results that it belongs to.

    In a store that can only be read it counts as missing.
    """
    if store.database.is_writable:
        store.remove_entry(f"blob/{blob}")
    store.blobs.forget(blob)
    drop_damaged_results(store, [action for action, head in store.histories().items() if blob in head.blobs])
