"""Checks under `--detach` that jobs can run without the evalmake that submitted them."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.graph import Node
from evalmake.preflight.context import BuildContext, first_of_each


def check_detached_jobs(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A detached job brings its own gateway, and uses no server that evalmake must watch."""
    if not context.detach:
        return
    reasons = ((node, _why_not(context, node)) for node in context.nodes)
    refused = ((node, reason) for node, reason in reasons if reason is not None)
    for node, (why, help) in first_of_each(refused, lambda pair: pair[0].evaluation.eval):
        cell = node.evaluation
        diagnostics.error("not-available", f"eval `{cell.eval}` cannot be detached: {why}", cell.span, help=[help])


def _why_not(context: BuildContext, node: Node) -> tuple[str, str] | None:
    """Why a job cannot be detached, and what to do."""
    executor = context.project.executors[node.executor]
    if not context.capabilities(executor).sidecar:
        why = f"jobs of executor `{executor.name}` ({executor.plugin}) need evalmake while they run"
        return why, "leave out --detach, or give it an executor with `backend = slurm` or `lepton`"
    if node.services:
        why = f"evalmake watches deployment `{next(iter(node.services))}` while it is used"
        return why, "leave out --detach: the next evalmake finds the jobs of a killed one, too"
    return None
