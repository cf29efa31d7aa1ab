"""What failed, of what the store holds: evaluations whose last attempt failed, and samples without a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalmake.planner.staleness import find_lack
from evalmake.scoring.failure_classes import Failure
from evalmake.scoring.unscored_causes import UNSCORED
from evalmake.store.store import Store
from evalmake.stored_results import StoredResult
from evalmake.stored_samples import find_sampled_results, read_samples

_LOG_TAIL = 2**14  # bytes in which a traceback is looked for


def list_failed_evaluations(store: Store, stored: Sequence[StoredResult]) -> Iterator[Failure]:
    """The evaluations that have no valid result because their last attempt failed, or fell short."""
    for one in stored:
        head = store.history(one.node.action.digest)
        if head is None or one.word not in ("failed", "fell-short", "rerun"):
            continue
        if head.last == "failed" or one.word == "fell-short":
            attempt = store.attempt(head.action, head.attempts)
            log = (store.output(attempt, "log") if attempt else None) or b""
            message = head.detail if head.last == "failed" else find_lack(one.node.demands, head)
            yield Failure(one.name, message or "failed", log[-_LOG_TAIL:].decode(errors="replace"))


def list_failed_samples(store: Store, stored: Sequence[StoredResult]) -> Iterator[Failure]:
    """The samples on record that have no score at all."""
    for result in find_sampled_results(store, stored):
        for sample in read_samples(store, result):
            if not sample.scores:
                error = sample.row.get("error")
                yield Failure(result.stored.name, str(error or UNSCORED), sample=str(sample.row["id"]))
