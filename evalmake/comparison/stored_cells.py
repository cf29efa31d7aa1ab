"""The cells of an Evalfile with the results that the store has of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from evalmake.comparison.cells import ComparedCell, Identity, ReadItems, describe_place, make_sample_reader
from evalmake.planner.graph import Node
from evalmake.results import make_item_reader
from evalmake.scoring.result import Result
from evalmake.store.store import Store
from evalmake.stored_results import Standing, StoredResult, collect_stored_scores, judge_stored_results
from evalmake.workspace import Workspace


def read_cells(workspace: Workspace, nodes: Sequence[Node], store: Store) -> tuple[ComparedCell, ...]:
    """The cells of an Evalfile with their results, which the store has by the digest of the action."""
    judged = judge_stored_results(workspace, nodes, store)
    usable = [one for one in judged if _is_usable(one)]
    results = {result.name: result for result in collect_stored_scores(workspace, usable).results}
    read = make_item_reader(store.folder)
    return tuple(_make_cell(one, results.get(one.name), store, read) for one in judged)


def _is_usable(stored: StoredResult) -> bool:
    """Whether there is a result of this very definition, in which nothing falls short; it may be old."""
    is_old = {reason.kind for reason in stored.reasons} == {"too-old"}
    return stored.standing is Standing.VALID or (stored.has_scores and is_old)


def _make_cell(stored: StoredResult, result: Result | None, store: Store, read: ReadItems) -> ComparedCell:
    cell = stored.node.evaluation
    place = describe_place(cell)
    identity = Identity.of_action(stored.node.action)
    if result is None:
        return ComparedCell(cell.name, place, cell.seed, identity, lack=_explain_lack(stored))
    return ComparedCell(
        cell.name,
        place,
        cell.seed,
        identity,
        result,
        read_items=partial(read, result.action, result.attempt),
        read_samples=make_sample_reader(store, result.action, result.attempt),
    )


def _explain_lack(stored: StoredResult) -> str:
    match stored.word:
        case "never-run":
            return "it has not run"
        case "changed":
            return f"what is on record is of another definition, as `evalmake why {stored.name}` says"
    return "; ".join(f"{reason.kind}: {reason.subject}" for reason in stored.reasons)
