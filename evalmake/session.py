"""The story of a request: load the Evalfile, plan, check, run what is stale, judge the gates, write the reports."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalmake import __version__
from evalmake.execution import run_stale
from evalmake.file_modes import narrow_umask
from evalmake.gate_plan import PlannedGate, plan_gates
from evalmake.gate_verdicts import JudgedGate, judge_gates
from evalmake.interrupts import INTERRUPTED
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import Diagnostic, make_error
from evalmake.language.write_errors import advise_on_write_error
from evalmake.planner.graph import Graph
from evalmake.planner.plan import Plan
from evalmake.planner.plan_changes import check_saved_packages, check_saved_plan
from evalmake.planner.saved_plan import (
    SavedPlan,
    parse_saved_plan,
    plan_to_json,
    read_plan_bytes,
    refuse_without_executors,
    words_of_saved_plan,
)
from evalmake.planner.signed_plan import check_signatures, sign_plan
from evalmake.planner.staleness import ActionHistory, describe_shortfalls, find_valid_records
from evalmake.planning import (
    check_before_build,
    check_fetched_data,
    declarations_with_packages,
    estimate_from_history,
    find_problems,
    hide_secrets,
    is_error,
    make_plan,
    make_plan_of_build,
)
from evalmake.process_secrecy import forbid_inspection
from evalmake.project.command_words import Words
from evalmake.project.targets import refuse_no_targets
from evalmake.reports import write_reports
from evalmake.results import collect_results, make_fact_reader, make_item_reader
from evalmake.run.hub_data import fetch_datasets
from evalmake.run.secrets import Secrets
from evalmake.run.signers import find_signer_of_word
from evalmake.scoring.gates import choose_status
from evalmake.scoring.result_set import ResultSet
from evalmake.signatures.keys import Signer, read_public_key
from evalmake.store.lock import build_lock
from evalmake.store.store import Store
from evalmake.workspace import Request, Workspace

if TYPE_CHECKING:
    from evalmake.run.build_result import BuildResult
    from evalmake.run.events import Emit

OK, UNMET, FAILED = 0, 1, 2


@dataclass(slots=True)
class BuildOutcome:
    """How a request ended: the exit status, and everything that a command can show."""

    status: int
    workspace: Workspace
    plan: Plan
    results: ResultSet | None = None
    gates: list[JudgedGate] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    ran: frozenset[str] = frozenset()
    written: list[Path] = field(default_factory=list)
    interrupted: bool = False
    smoke_failed: bool = False
    """Whether a smoke run failed, so that the build did not begin."""
    detached: int = 0
    withdrawn: int = 0
    usages: list[Mapping[str, float]] = field(default_factory=list)
    """What each attempt used that ended in this build, also of those that failed."""
    estimate: dict[str, ActionHistory] = field(default_factory=dict)
    planned_gates: list[PlannedGate] = field(default_factory=list)
    """For `-n`: the gates that compare, with what they will be compared with."""
    signed_by: tuple[str, ...] = ()
    """The ids of the keys that have signed the plan: the one that was saved, or the one that was followed."""
    revalidated: dict[str, str] = field(default_factory=dict)
    """Results that became valid without a run, because less is demanded of them: why they were not valid before."""

    def add_result(self, result: BuildResult) -> None:
        """Note how the evaluations went."""
        self.ran = frozenset(result.succeeded)
        self.problems += result.problems
        self.interrupted, self.detached = result.interrupted, len(result.detached)
        self.withdrawn = result.withdrawn
        self.usages += result.usages
        self.status = INTERRUPTED if result.interrupted else FAILED if result.failed or result.cancelled else OK


def build(request: Request, emit: Emit, show_plan: Callable[[BuildOutcome], None]) -> BuildOutcome:
    """Carry out a request. `show_plan` is called with the plan before anything runs."""
    with narrow_umask():
        return _build(request, emit, show_plan)


def _build(request: Request, emit: Emit, show_plan: Callable[[BuildOutcome], None]) -> BuildOutcome:
    saved = _read_saved_plan(request.plan, request.keys) if request.plan else None
    signers = [find_signer_of_word(word, Secrets()) for word in request.sign]
    words = request.words if saved is None else words_of_saved_plan(request.words, saved)
    workspace = Workspace.open(
        request.file,
        words.overrides,
        request.source,
        settle=request.settle,
        environment=request.environment,
        own_store=request.own_store,
    )
    graph = workspace.graph(words.targets, request.locked)
    refuse_no_targets(workspace.project)
    if request.dry_run or request.question:
        return _preview(request, workspace, graph, saved, signers, show_plan)
    if request.owns_process:
        forbid_inspection()  # jobs of an earlier build may run
    if saved is not None:
        check_saved_packages(graph, saved)
    workspace.share_store()
    graph = _resolve_packages(request, workspace, words, graph, emit)
    with (
        build_lock(workspace.root, lambda holder: _tell_busy(emit, holder)),  # jobs and journal, whatever the store
        build_lock(workspace.store_folder, lambda holder: _tell_busy(emit, holder)),
        workspace.store() as store,
    ):
        plan = make_plan_of_build(workspace, graph, store, request.always)
        if plan.stale:
            store.database.check_writable()
        if store.database.is_writable:
            store.save_rebuilt_histories()
        if saved is not None:
            check_saved_plan(plan, saved)
        store.mark_valid({d.name: d.action for d in plan.decisions.values() if not d.stale})
        outcome = BuildOutcome(OK, workspace, plan, revalidated=_find_revalidated(plan, store))
        outcome.signed_by = saved.signed_by if saved else ()
        show_plan(outcome)
        secrets = Secrets()
        jobs_are_left = workspace.has_jobs_left()
        if jobs_are_left or not plan.is_empty:
            secrets, outcome.problems = check_before_build(workspace, plan, request.detach)
            if fetch_datasets(plan.stale, workspace.plugins, emit):
                outcome.problems += check_fetched_data(workspace, plan, request.detach)
            if request.owns_process:
                hide_secrets(workspace, graph)
        if request.smoke and plan.stale:
            _run_smoke(request, outcome, store, emit, secrets, jobs_are_left)
            if outcome.smoke_failed:
                return outcome
        if jobs_are_left or plan.stale:
            asked = replace(request, words=words)  # those of a saved plan, where there is one
            outcome.add_result(run_stale(asked, workspace, plan, store, emit, secrets, outcome.signed_by))
        else:
            workspace.forget_builds()
        _conclude(outcome, store, secrets)
    return outcome


def _run_smoke(
    request: Request, outcome: BuildOutcome, store: Store, emit: Emit, secrets: Secrets, jobs_are_left: bool
) -> None:
    """Ask one question of each stale evaluation, and note how that went. Jobs that were left have begun before."""
    from evalmake.run.events import SmokeSkipped
    from evalmake.smoke import run_smoke

    if jobs_are_left:
        emit(SmokeSkipped())
        return
    result = run_smoke(request, outcome.workspace, outcome.plan, store, emit, secrets)
    outcome.smoke_failed = bool(result.failed or result.cancelled or result.interrupted)
    if outcome.smoke_failed:
        outcome.add_result(replace(result, succeeded=[]))  # what passed has run with a limit of 1
    else:
        outcome.usages += result.usages


def _preview(
    request: Request,
    workspace: Workspace,
    graph: Graph,
    saved: SavedPlan | None,
    signers: Sequence[Signer],
    show_plan: Callable[[BuildOutcome], None],
) -> BuildOutcome:
    """Plan without running: `-n`, `-q` and `-o`. If the build would fail at once, show its errors and exit with 2."""
    with workspace.read_store() as store:
        plan = make_plan(workspace, graph, store, request.always)
        if saved is not None:
            check_saved_plan(plan, saved)
        outcome = BuildOutcome(OK, workspace, plan, revalidated=_find_revalidated(plan, store))
        outcome.signed_by = saved.signed_by if saved else ()
        if request.question:
            outcome.status = OK if plan.is_empty else UNMET
            return outcome
        outcome.estimate = estimate_from_history(plan, store)
        outcome.planned_gates = plan_gates(workspace, list(plan.graph.nodes.values()), store)
    if not plan.is_empty:
        outcome.problems = find_problems(workspace, plan, request.detach, dry_run=True)
        outcome.status = FAILED if any(map(is_error, outcome.problems)) else OK
    if request.output:
        outcome.signed_by = _save_plan(request.output, request.file, plan, signers)
    show_plan(outcome)
    return outcome


def _read_saved_plan(path: Path, keys: Sequence[Path]) -> SavedPlan:
    """Read the plan to follow, all of whose `keys` must have signed it."""
    public = [read_public_key(key) for key in keys]
    data = read_plan_bytes(path)
    signed_by = check_signatures(path, data, public) if public else ()
    saved = parse_saved_plan(path, data)
    if signed_by:
        refuse_without_executors(saved)
    return replace(saved, signed_by=signed_by)


def _save_plan(path: Path, evalfile: Path, plan: Plan, signers: Sequence[Signer]) -> tuple[str, ...]:
    """Write a plan and its signatures; the ids of all keys that have signed it."""
    text = json.dumps(plan_to_json(plan, str(evalfile), __version__), indent=1) + "\n"
    try:
        if path.exists() and path.samefile(evalfile):
            raise OSError(errno.EEXIST, "it is the Evalfile")
        write_atomic(path, text.encode())
    except OSError as error:
        message = f"cannot write the plan to {path}: {error.strerror}"
        raise make_error("bad-plan", message, help=advise_on_write_error(error.errno)) from None
    return sign_plan(path, text.encode(), signers) if signers else ()


def _resolve_packages(request: Request, workspace: Workspace, words: Words, graph: Graph, emit: Emit) -> Graph:
    """Return the graph with the versions of all packages, which are part of identities.

    Install the packages whose versions are not known. That takes minutes, so check first whatever can be checked.
    """
    from evalmake.run.workspace_registry import register_workspace

    environments = workspace.environments()
    declarations = declarations_with_packages(workspace, graph.nodes.values())
    found = [environments.environment_of(declaration) for declaration in declarations]
    if all(environment is None or environment.listing_text for environment in found):
        return graph
    with workspace.read_store() as store:
        check_before_build(workspace, make_plan(workspace, graph, store, request.always), request.detach)
    register_workspace(workspace.project.path, workspace.store_folder)
    environments.resolve_unknown(declarations, emit)
    return workspace.graph(words.targets, request.locked)


def _find_revalidated(plan: Plan, store: Store) -> dict[str, str]:
    short = store.shortfalls()
    return {name: short[name] for name, decision in plan.decisions.items() if name in short and not decision.stale}


def _tell_busy(emit: Emit, holder: str) -> None:
    from evalmake.run.events import StoreBusy

    emit(StoreBusy(holder))


def _conclude(outcome: BuildOutcome, store: Store, secrets: Secrets) -> None:
    """Judge the gates, write the reports, and collect the results."""
    workspace, plan = outcome.workspace, outcome.plan
    nodes = list(plan.graph.nodes.values())
    histories = find_valid_records(nodes, store)
    store.record_shortfalls(describe_shortfalls(nodes, store))
    outcome.gates = judge_gates(workspace, nodes, histories, store)
    if not (outcome.interrupted or outcome.detached):
        outcome.written, problems = write_reports(workspace, plan, store, outcome.ran, secrets)
        if problems:
            outcome.problems += problems
            outcome.status = FAILED
    if outcome.interrupted or outcome.detached:  # what is not finished may yet be judged
        outcome.gates = [gate for gate in outcome.gates if not gate.pending]
    gates = [gate.result for gate in outcome.gates]
    confidence = workspace.project.settings.confidence
    outcome.results = collect_results(
        "results",
        nodes,
        histories,
        outcome.ran,
        plan.digest,
        gates,
        confidence=confidence,
        read_items=make_item_reader(store.folder),
        read_facts=make_fact_reader(store),
    )
    if outcome.status == OK and not outcome.detached:
        outcome.status = choose_status(gates)
