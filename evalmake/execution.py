"""Runs the stale evaluations of a plan.

The modules that run jobs are imported here and only when something must run: a build with nothing to do stays fast.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.planner.plan import Plan
from evalmake.planner.staleness import find_lack, find_record_shortfall
from evalmake.planning import declarations_with_packages, distinct_actions
from evalmake.project.adapter import merge_adapters
from evalmake.store.failure import store_failed
from evalmake.store.store import Store
from evalmake.workspace import Request, Workspace

if TYPE_CHECKING:
    from evalmake.provenance.build import BuildRequest
    from evalmake.run.build_result import BuildResult
    from evalmake.run.events import Emit
    from evalmake.run.secrets import Secrets


def run_stale(
    request: Request,
    workspace: Workspace,
    plan: Plan,
    store: Store,
    emit: Emit,
    secrets: Secrets,
    signed_by: tuple[str, ...] = (),
) -> BuildResult:
    """Install the packages of the stale evaluations, run these, and return how that went.

    `signed_by` has the ids of the keys that signed the plan.
    """
    from evalmake.run.environments.task_names import check_task_names
    from evalmake.run.events import BuildStarted
    from evalmake.run.gateways.host_gateways import HostGateways, host_addresses
    from evalmake.run.job_builder import JobBuilder
    from evalmake.run.provenance import Provenance
    from evalmake.run.scheduler.scheduler import Scheduler
    from evalmake.run.workspace_registry import register_workspace

    nodes = distinct_actions(plan.stale)
    register_workspace(workspace.project.path, workspace.store_folder)
    environments = workspace.environments()
    declarations = declarations_with_packages(workspace, [plan.graph.nodes[node.name] for node in nodes])
    environments.build(declarations, emit)
    check_task_names(declarations, workspace.plugins, environments)
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root, environments.environment_of)
    provenance = Provenance(job_builder, plan, _describe_request(request, store, signed_by), secrets) if nodes else None
    executors = workspace.executors()
    shares = Counter(node.action.digest for node in plan.stale)
    emit(BuildStarted(len(plan.stale), {node.name: shares[node.action.digest] for node in nodes}))
    hosts = host_addresses({executors[node.executor] for node in nodes})
    oldest_replies = _request_reruns(request, plan, store)
    scheduler = Scheduler(
        job_builder,
        executors,
        store,
        emit,
        secrets,
        request.jobs,
        request.keep_going,
        {name: action.digest for name, action in plan.graph.services.items()},
        HostGateways(job_builder, workspace.reply_cache_settings(), plan.graph.sources, oldest_replies, hosts),
        workspace.other_targets(plan.graph.nodes),
        request.detach,
        provenance,
    )
    try:
        result = scheduler.run(nodes)
    except OSError as error:
        raise store_failed(workspace.root, error) from None
    if result.interrupted:
        wanted = (node.action.digest for node in nodes)
        result.withdrawn = store.withdraw_reruns(wanted)
    _add_shared_results(plan, result, store)
    return result


def _describe_request(request: Request, store: Store, signed_by: tuple[str, ...]) -> BuildRequest:
    """What was asked for, and by whom, for the record."""
    from evalmake.provenance.build import BuildRequest
    from evalmake.store.origin import HOST, USER, describe_maker

    maker = describe_maker(store.evalfile)
    targets = tuple(word.text for word in request.words.targets)
    return BuildRequest(targets, request.always, request.because, maker[USER], maker[HOST], signed_by)


def _request_reruns(request: Request, plan: Plan, store: Store) -> dict[str, float]:
    """Note which results the build makes anew, so that no failure makes it forgotten.

    Return by action the oldest cached reply that it may use, where that matters. A result that falls short is not
    made anew but completed: for evals that demand less of it, it goes on to count.
    """
    now = time.time()
    wanted, oldest = {}, {}
    for node in plan.stale:
        head, digest = plan.decisions[node.name].head, node.action.digest
        before = head.rerun if head else None
        oldest[digest] = now if request.always else before or 0.0
        counts = head is not None and head.success is not None and not find_record_shortfall(node.demands, head)
        if counts and (request.always or before is None):
            wanted[digest] = oldest[digest]
    store.request_reruns(wanted)
    return oldest


def _add_shared_results(plan: Plan, result: BuildResult, store: Store) -> None:
    """Note how the evaluations went that share a result with one that ran: each counts, and by its own demands."""
    digests = {node.name: node.action.digest for node in plan.stale}
    failed = {node.action.digest: node for node in plan.stale if node.name in result.failed}
    ended = {digests[name] for name in (*result.succeeded, *result.failed)}
    detached = {digests[name] for name in result.detached}
    for node in plan.stale:
        head = store.history(node.action.digest)
        if node.name in (*result.succeeded, *result.failed, *result.detached):
            continue
        if node.action.digest in detached:
            result.detached.append(node.name)
        elif node.action.digest not in ended or head is None:
            continue
        elif shortfall := find_record_shortfall(node.demands, head):
            message = f"{node.name} failed: {shortfall.message}"
            span, cure = node.evaluation.span, [shortfall.cure] if shortfall.cure else []
            result.failed.append(node.name)
            result.problems.append(make_diagnostic("evaluation-failed", message, span, help=cure, subject=node.name))
        elif not find_lack(node.demands, head):
            result.succeeded.append(node.name)
        elif other := failed.get(node.action.digest):
            result.failed.append(node.name)
            result.problems.append(_describe_shared_failure(node, other))


def _describe_shared_failure(node: Node, failed: Node) -> Diagnostic:
    """The error of an evaluation of which another one that failed is the same."""
    adapters = [
        merge_adapters(*(one.block.adapter for one in (cell.model, cell.benchmark, cell.variant)))
        for cell in (node.evaluation, failed.evaluation)
    ]
    keys = sorted({key for key in {**adapters[0], **adapters[1]} if adapters[0].get(key) != adapters[1].get(key)})
    differ = f"they differ only in what is no part of the identity (`{'`, `'.join(keys)}`): " if keys else ""
    return make_diagnostic(
        "evaluation-failed",
        f"{node.name} failed with {failed.name}: they are the same evaluation, which ran once",
        node.evaluation.span,
        notes=[f"{differ}it ran as {failed.name} declares it"],
        help=[f"its log: evalmake logs {failed.name}"],
        subject=node.name,
    )
