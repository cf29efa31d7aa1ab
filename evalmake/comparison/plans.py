"""The evaluations of a saved plan, with the results that the store has of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from evalmake.comparison.cells import (
    BENCHMARK,
    EVAL,
    MODEL,
    SEED,
    ComparedCell,
    Identity,
    ReadItems,
    Side,
    describe_place,
    make_result,
    make_sample_reader,
)
from evalmake.planner.plan_parts import EXECUTION, REQUIRES
from evalmake.planner.saved_plan import SavedEvaluation, SavedPlan, read_saved_plan
from evalmake.planner.staleness import ActionHistory
from evalmake.project.matrix import Evaluation
from evalmake.results import make_item_reader
from evalmake.store import origin
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_DIGITS = len("sha256:") + 12


def side_of_plan(workspace: Workspace, store: Store, path: Path) -> Side:
    """What the store has of a plan's evaluations, by the digests of their actions."""
    plan = read_saved_plan(path)
    known = {cell.name: cell for group in workspace.cells.values() for cell in group}
    read = make_item_reader(store.folder)
    cells = tuple(
        _make_cell(name, saved, plan, known.get(name), store, read) for name, saved in plan.evaluations.items()
    )
    return Side(str(path), cells, (f"plan {plan.digest[:_DIGITS]}",), advice=f"run it first: `evalmake --plan {path}`")


def _make_cell(
    name: str, saved: SavedEvaluation, plan: SavedPlan, known: Evaluation | None, store: Store, read: ReadItems
) -> ComparedCell:
    identity = _find_identity(saved, plan)
    head = store.history(saved.action)
    place = describe_place(known) if known else _find_place(name, head, store)
    seed = _find_seed(identity)
    if head is None or head.success is None or head.rerun is not None:
        return ComparedCell(name, place, seed, identity, lack=_describe_lack(head))
    result = make_result(name, place, seed, head, known)
    return ComparedCell(
        name,
        place,
        seed,
        identity,
        result,
        read_items=partial(read, result.action, result.attempt),
        read_samples=make_sample_reader(store, result.action, result.attempt),
    )


def _describe_lack(head: ActionHistory | None) -> str:
    if head is None:
        return "the store has no result of this definition"
    if head.success is not None:
        return "a rerun of it was wanted, and has not succeeded"
    return f"{head.last}: {head.detail}"


def _find_identity(saved: SavedEvaluation, plan: SavedPlan) -> Identity:
    """The parts as the plan has them; a plan of version 1 names none."""
    digests = {part: digest for part, digest in saved.parts.items() if part not in (REQUIRES, EXECUTION)}
    if plan.walks is None:
        return Identity({"action": saved.action})
    return Identity(digests, {part: plan.walks[digest] for part, digest in digests.items()})


def _find_seed(identity: Identity) -> int:
    text = identity.walks.get("", {}).get(SEED, "")
    digits = text.removeprefix("int:")
    return int(digits) if digits.lstrip("-").isdigit() else 0


def _find_place(name: str, head: ActionHistory | None, store: Store) -> Mapping[str, str]:
    """The place of a cell that the Evalfile has no more, as its record tells it."""
    record = store.attempt(head.action, head.attempts) if head else None
    facts = record.facts if record else {}
    unknown = {MODEL: facts.get(origin.MODEL, "-"), BENCHMARK: facts.get(origin.BENCHMARK, name)}
    return {EVAL: name.partition("/")[0], **unknown}
