"""One request from start to end: load, plan, check, run, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalmake import __version__
from evalmake.gate_verdicts import JudgedGate, judge_gates
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, Severity, make_diagnostic
from evalmake.planner.graph import Graph
from evalmake.planner.plan import Plan
from evalmake.planner.saved_plan import check_saved_plan, plan_to_json, read_saved_plan, words_of_saved_plan
from evalmake.planner.staleness import ActionHistory, find_record_shortfall, find_valid_records
from evalmake.planning import (
    declarations_with_packages,
    distinct_actions,
    estimate_from_history,
    make_plan,
    preflight_context,
)
from evalmake.preflight.run_all import check_build
from evalmake.project.command_words import Words
from evalmake.reports import write_report
from evalmake.results import collect_results
from evalmake.scoring.result_set import ResultSet
from evalmake.store.journal import Journal
from evalmake.store.lock import build_lock
from evalmake.store.store import Store, store_failed
from evalmake.workspace import Request, Workspace

if TYPE_CHECKING:
    from evalmake.run.events import Emit
    from evalmake.run.secrets import Secrets

OK, UNMET, FAILED, INTERRUPTED = 0, 1, 2, 130


@dataclass(slots=True)
class BuildOutcome:
    """How a request ended: its exit status, and all that can be shown of it."""

    status: int
    workspace: Workspace
    plan: Plan
    results: ResultSet | None = None
    gates: list[JudgedGate] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    ran: frozenset[str] = frozenset()
    written: list[Path] = field(default_factory=list)
    interrupted: bool = False
    detached: int = 0
    estimate: dict[str, ActionHistory] = field(default_factory=dict)


def build(request: Request, emit: Emit, show_plan: Callable[[BuildOutcome], None]) -> BuildOutcome:
    """Do what is requested; `show_plan` gets the plan before anything runs."""
    saved = read_saved_plan(request.plan) if request.plan else None
    words = request.words if saved is None else words_of_saved_plan(request.words, saved)
    workspace = Workspace.open(request.file, words.overrides, request.source)
    graph = workspace.graph(words.targets, request.locked)
    if request.dry_run or request.question:
        return _preview(request, workspace, graph, show_plan)
    graph = _resolve_packages(request, workspace, words, graph, emit)
    with (
        build_lock(workspace.root, lambda holder: _tell_busy(emit, holder)),  # jobs and journal, whatever the store
        build_lock(workspace.store_folder, lambda holder: _tell_busy(emit, holder)),
        workspace.store() as store,
    ):
        plan = make_plan(workspace, graph, store, request.always)
        if saved is not None:
            check_saved_plan(plan, saved, str(request.plan))
        store.mark_valid({d.name: d.action for d in plan.decisions.values() if not d.stale})
        outcome = BuildOutcome(OK, workspace, plan)
        show_plan(outcome)
        jobs_are_left = _has_jobs_left(workspace)
        if jobs_are_left or not plan.is_empty:
            secrets, outcome.problems = _check(request, workspace, plan)
        if jobs_are_left or plan.stale:
            _run(request, outcome, store, emit, secrets)
        _conclude(outcome, store)
    return outcome


def _preview(
    request: Request, workspace: Workspace, graph: Graph, show_plan: Callable[[BuildOutcome], None]
) -> BuildOutcome:
    """Plan without running: `-n`, `-q`, `-o`. A plan whose build would end at once has the errors and status 2."""
    with workspace.store() as store:
        plan = make_plan(workspace, graph, store, request.always)
        outcome = BuildOutcome(OK, workspace, plan)
        if request.question:
            outcome.status = OK if plan.is_empty else UNMET
            return outcome
        outcome.estimate = estimate_from_history(plan, store)
    if not plan.is_empty:
        outcome.problems = _find_problems(request, workspace, plan, dry_run=True)
        outcome.status = FAILED if any(map(_is_error, outcome.problems)) else OK
    if request.output:
        text = json.dumps(plan_to_json(plan, str(request.file), __version__), indent=1) + "\n"
        write_atomic(request.output, text.encode())
    show_plan(outcome)
    return outcome


def _resolve_packages(request: Request, workspace: Workspace, words: Words, graph: Graph, emit: Emit) -> Graph:
    """Install packages whose versions are not known, because these are part of identities; the graph with them.

    An install takes minutes, so what can fail is checked first.
    """
    environments = workspace.environments()
    declarations = declarations_with_packages(workspace, graph.nodes.values())
    found = [environments.environment_of(declaration) for declaration in declarations]
    if all(environment is None or environment.listing_text for environment in found):
        return graph
    with workspace.store() as store:
        _check(request, workspace, make_plan(workspace, graph, store, request.always))
    environments.resolve_unknown(declarations, emit)
    return workspace.graph(words.targets, request.locked)


def _check(request: Request, workspace: Workspace, plan: Plan) -> tuple[Secrets, list[Diagnostic]]:
    """The values of the secrets, and warnings; EvalmakeError with everything that is wrong."""
    from evalmake.preflight.secrets import required_secrets

    context = preflight_context(workspace, plan, request.detach)
    problems = check_build(context, dry_run=False)
    if any(map(_is_error, problems)):
        raise EvalmakeError(problems)
    secrets = context.secrets  # not a new one, which would ask the keyring again
    secrets.resolve({name: name for name in required_secrets(workspace.project, plan.stale)})
    return secrets, problems


def _is_error(problem: Diagnostic) -> bool:
    return problem.severity is Severity.ERROR


def _find_problems(request: Request, workspace: Workspace, plan: Plan, dry_run: bool = False) -> list[Diagnostic]:
    return check_build(preflight_context(workspace, plan, request.detach), dry_run)


def _has_jobs_left(workspace: Workspace) -> bool:
    """Whether a killed build left a job, or the folder of one."""
    work = workspace.root / "work"
    entries = Journal(workspace.root / "journal").entries()
    return any(True for _ in entries) or (work.exists() and any(work.iterdir()))


def _tell_busy(emit: Emit, holder: str) -> None:
    from evalmake.run.events import StoreBusy

    emit(StoreBusy(holder))


def _run(request: Request, outcome: BuildOutcome, store: Store, emit: Emit, secrets: Secrets) -> None:
    """Run what is stale, and note in `outcome` how that ended."""
    from evalmake.run.environments.task_names import check_task_names
    from evalmake.run.events import BuildStarted
    from evalmake.run.gateways.host_gateways import HostGateways, host_addresses
    from evalmake.run.job_builder import JobBuilder
    from evalmake.run.scheduler.scheduler import Scheduler

    workspace, plan = outcome.workspace, outcome.plan
    nodes = distinct_actions(plan.stale)
    environments = workspace.environments()
    declarations = declarations_with_packages(workspace, nodes)
    environments.build(declarations, emit)
    check_task_names(declarations, workspace.plugins, environments)
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root, environments.environment_of)
    executors = workspace.executors()
    emit(BuildStarted(len(nodes), len(plan.decisions) - len(plan.stale)))
    hosts = host_addresses({executors[node.executor] for node in nodes})
    since = time.time() if request.always else 0.0
    scheduler = Scheduler(
        job_builder,
        executors,
        store,
        emit,
        secrets,
        request.jobs,
        request.keep_going,
        {name: action.digest for name, action in plan.graph.services.items()},
        HostGateways(job_builder, workspace.reply_cache_settings(), plan.graph.sources, since, hosts),
        workspace.other_targets(plan.graph.nodes),
        request.detach,
    )
    try:
        result = scheduler.run(nodes)
    except OSError as error:
        raise store_failed(workspace.root, error) from None
    outcome.ran = frozenset(result.succeeded)
    outcome.problems += result.problems
    outcome.interrupted, outcome.detached = result.interrupted, result.detached
    shared = _judge_shared_results(plan, {*result.succeeded, *result.failed}, store)
    outcome.problems += shared
    outcome.status = INTERRUPTED if result.interrupted else FAILED if result.failed or shared else OK


def _judge_shared_results(plan: Plan, names: set[str], store: Store) -> list[Diagnostic]:
    """An error for each evaluation whose demands are not met by a result that one of `names` ran for it."""
    new = {plan.graph.nodes[name].action.digest for name in names}
    problems = []
    for node in plan.stale:
        head = store.history(node.action.digest)
        if node.name in names or node.action.digest not in new or head is None:
            continue
        if shortfall := find_record_shortfall(node.demands, head):
            message = f"{node.name} failed: {shortfall.message}"
            problems.append(make_diagnostic("evaluation-failed", message, node.evaluation.span, help=[shortfall.cure]))
    return problems


def _conclude(outcome: BuildOutcome, store: Store) -> None:
    """Judge the gates, write the reports, gather the results."""
    workspace, plan = outcome.workspace, outcome.plan
    nodes = list(plan.graph.nodes.values())
    histories = find_valid_records(nodes, store)
    outcome.gates = judge_gates(workspace, nodes, histories, store)
    if not (outcome.interrupted or outcome.detached):
        _write_reports(outcome, store)
    gates = [gate.result for gate in outcome.gates]
    confidence = workspace.project.settings.confidence
    outcome.results = collect_results(
        "results", nodes, histories, outcome.ran, plan.digest, gates, confidence=confidence
    )
    if outcome.status == OK and not outcome.detached and any(not gate.met for gate in gates):
        outcome.status = FAILED if any(gate.met is None for gate in gates) else UNMET


def _write_reports(outcome: BuildOutcome, store: Store) -> None:
    """Write the reports that must be; one that cannot be written does not keep the others from it."""
    for name, decision in outcome.plan.reports.items():
        if not decision.must_write:
            continue
        node = outcome.plan.graph.reports[name]
        try:
            path = write_report(outcome.workspace, node, store, outcome.plan.digest, outcome.ran)
        except EvalmakeError as error:
            outcome.problems += error.diagnostics
            outcome.status = FAILED
        else:
            outcome.written += [path] if path else []
