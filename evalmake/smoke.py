"""`evalmake --smoke`: each stale evaluation asks one question before any asks all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from evalmake.execution import run_stale
from evalmake.planner.plan import Plan
from evalmake.planning import make_plan
from evalmake.project.catalog import find_lacks
from evalmake.project.matrix import Evaluation, Variant
from evalmake.project.targets import Selection
from evalmake.store.store import Store
from evalmake.workspace import Request, Workspace

if TYPE_CHECKING:
    from evalmake.run.build_result import BuildResult
    from evalmake.run.events import Emit
    from evalmake.run.secrets import Secrets


def run_smoke(
    request: Request, workspace: Workspace, plan: Plan, store: Store, emit: Emit, secrets: Secrets
) -> BuildResult:
    """Run the stale evaluations of `plan` that ask a model for several items with a limit of one, until one fails.

    They run with the executors, servers, gateways and reply cache of the build, so what they ask is not asked
    again. Their results are on record as those of a limit of 1.
    """
    from evalmake.run.build_result import BuildResult
    from evalmake.run.events import SmokeStarted

    asking = [node.evaluation for node in plan.stale if node.replies is None and node.evaluation.limit != 1]
    cells = _limit_to_one(asking)
    graph = workspace.graph_of(Selection({cell.name: cell for cell in cells}))
    smoke = make_plan(workspace, graph, store)
    if not smoke.stale:
        return BuildResult()
    emit(SmokeStarted(len(smoke.stale), len(asking) - len(cells)))
    asked = replace(request, keep_going=False, always=False, because="")
    store.keeps_baselines = False  # reasons go on to compare with results that were asked for
    try:
        return run_stale(asked, workspace, smoke, store, emit, secrets)
    finally:
        store.keeps_baselines = True


def _limit_to_one(cells: Iterable[Evaluation]) -> list[Evaluation]:
    """The same cells, each with a limit of one item, without those of tasks that take no limit."""
    variants: dict[int, Variant] = {}
    found = []
    for cell in cells:
        if "limit" not in find_lacks(cell.benchmark.fields.values):
            variant = variants.setdefault(id(cell.variant), _ask_everything(cell.variant))
            found.append(Evaluation(cell.name, cell.values, variant, cell.model, cell.benchmark, cell.seed, limit=1))
    return found


def _ask_everything(variant: Variant) -> Variant:
    """A variant without a rule that stops early, which cannot decide by one item."""
    return replace(variant, block=variant.block.model_copy(update={"until": None, "precision": None}))
