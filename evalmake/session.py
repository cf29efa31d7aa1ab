"""The whole story on one page: load, expand, plan, run, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalmake import __version__
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import Diagnostic, Diagnostics, make_error
from evalmake.language.file_hashes import hash_file
from evalmake.language.source import Span
from evalmake.planner.graph import Graph, Node
from evalmake.planner.plan import Plan, check_saved, report_identity, to_json
from evalmake.planner.staleness import ActionHistory
from evalmake.preflight.graph_checks import check_detached, has_its_python
from evalmake.project.command_words import Words
from evalmake.project.declarations import Declaration
from evalmake.results import JudgedGate, collect_results, make_item_reader
from evalmake.scoring.result_set import ResultSet
from evalmake.store.journal import Journal
from evalmake.store.lock import build_lock
from evalmake.store.store import Store, store_failed
from evalmake.workspace import Request, Workspace

if TYPE_CHECKING:
    from evalmake.run.events import Emit
    from evalmake.run.secrets import Secrets

_SIGN = "`sign` needs signatures, which this version of evalmake cannot make"
OK, UNMET, FAILED, INTERRUPTED = 0, 1, 2, 130


@dataclass(slots=True)
class BuildOutcome:
    """How a request ended: its status, and all there is to tell."""

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


def build(request: Request, emit: Emit, planned: Callable[[BuildOutcome], None]) -> BuildOutcome:
    """Do what was asked; `planned` is shown the plan before anything runs."""
    saved = _read_plan(request.plan) if request.plan else None
    words = _asked(request.words, saved)
    workspace = Workspace.open(request.file, words.overrides, request.written)
    graph = workspace.graph(words.targets)
    if request.locked:
        workspace.check_locked(graph)
    if request.dry_run or request.question:
        return _look(request, workspace, graph, planned)
    if workspace.environments().resolve_unknown(_installed(workspace, graph.nodes.values()), emit):
        graph = workspace.graph(words.targets)  # what was resolved is part of identities
    tell = lambda holder: _tell_waiting(emit, holder)  # noqa: E731
    with (
        build_lock(workspace.root, tell),  # its jobs and journal, whatever store they go to
        build_lock(workspace.store_folder, tell),
        workspace.store() as store,
    ):
        plan = workspace.make_plan(graph, store, request.always)
        if saved is not None:
            check_saved(plan, saved, str(request.plan))
        store.mark_valid({d.name: d.action for d in plan.decisions.values() if not d.stale})
        outcome = BuildOutcome(OK, workspace, plan)
        planned(outcome)
        left = _left(workspace)
        if left or not plan.is_empty:
            secrets = _ready(request, workspace, plan)
        if left or plan.stale:
            outcome.ran = _run(request, workspace, plan, store, emit, secrets, outcome)
        _conclude(workspace, graph, plan, store, outcome)
    return outcome


def _left(workspace: Workspace) -> bool:
    """Whether a build that was killed left anything: a job, or what jobs were in."""
    work = workspace.root / "work"
    jobs = Journal(workspace.root / "journal").entries()
    return any(True for _ in jobs) or (work.exists() and any(work.iterdir()))


def _asked(words: Words, saved: object) -> Words:
    """What a saved plan was made for, where the command line does not say it again."""
    if not isinstance(saved, dict):
        return words
    try:
        overrides = [f"{name}={text}" for name, text in saved["overrides"].items()]
        targets = [e["name"] for e in (*saved["evaluations"], *saved["reports"])]
    except (KeyError, TypeError, AttributeError):
        return words  # `check_saved` says that it is no plan
    meant = Words.of([*targets, *overrides])
    return Words(words.targets or meant.targets, words.overrides or meant.overrides)


def _tell_waiting(emit: Emit, holder: str) -> None:
    from evalmake.run.events import StoreBusy

    emit(StoreBusy(holder))


def _look(
    request: Request, workspace: Workspace, graph: Graph, planned: Callable[[BuildOutcome], None]
) -> BuildOutcome:
    """A plan without running: `-n`, `-q`, `-o`."""
    with workspace.store() as store:
        plan = workspace.make_plan(graph, store, request.always)
        outcome = BuildOutcome(OK, workspace, plan)
        outcome.estimate = _like(plan, store)
        if request.output:
            text = json.dumps(to_json(plan, str(request.file), __version__), indent=1) + "\n"
            write_atomic(request.output, text.encode())
        planned(outcome)
    if request.question:
        outcome.status = OK if plan.is_empty else UNMET
    return outcome


def _like(plan: Plan, store: Store) -> dict[str, ActionHistory]:
    """For stale cells, a past run of the same benchmark and model: what they will take, roughly."""
    seen: dict[tuple[str, str], ActionHistory] = {}
    names = {d.action.digest: d.name for d in plan.decisions.values()}
    for head in store.histories().values():
        name = names.get(head.action)
        if name and head.success:
            cell = plan.graph.nodes[name].evaluation
            seen[cell.model.name, cell.benchmark.name] = head
    return {
        node.name: seen[key]
        for node in plan.stale
        if (key := (node.evaluation.model.name, node.evaluation.benchmark.name)) in seen
    }


def _read_plan(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise make_error("bad-plan", f"cannot read the plan {path}: {error.strerror}") from None
    except ValueError:
        raise make_error("bad-plan", f"{path} is not JSON") from None


def _run(
    request: Request,
    workspace: Workspace,
    plan: Plan,
    store: Store,
    emit: Emit,
    secrets: Secrets,
    outcome: BuildOutcome,
) -> frozenset[str]:
    from evalmake.run.environments.task_names import check_task_names
    from evalmake.run.events import BuildStarted
    from evalmake.run.gateways.host_gateways import HostGateways, host_addresses
    from evalmake.run.gpus import check_gpus
    from evalmake.run.job_builder import JobBuilder
    from evalmake.run.scheduler.scheduler import Scheduler

    nodes = _once(plan.stale)
    environments = workspace.environments()
    environments.build(_installed(workspace, nodes), emit)
    check_task_names(_installed(workspace, nodes), workspace.plugins, environments)
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root, environments.environment_of)
    executors = workspace.executors()
    check_gpus(nodes, workspace.project, executors)
    emit(BuildStarted(len(nodes), len(plan.decisions) - len(plan.stale)))
    hosts = host_addresses({executors[node.executor] for node in nodes})
    since = time.time() if request.always else 0.0
    gateways = HostGateways(job_builder, workspace.replies(), plan.graph.sources, since, hosts)
    servers = {name: action.digest for name, action in plan.graph.services.items()}
    scheduler = Scheduler(
        job_builder,
        executors,
        store,
        emit,
        secrets,
        request.jobs,
        request.keep_going,
        servers,
        gateways,
        workspace.unasked(plan.graph.nodes),
        request.detach,
    )
    try:
        report = scheduler.run(nodes)
    except OSError as error:
        raise store_failed(workspace.root, error) from None
    outcome.problems = report.problems
    outcome.interrupted = report.interrupted
    outcome.detached = report.detached
    if report.failed:
        outcome.status = FAILED
    if report.interrupted:
        outcome.status = INTERRUPTED
    return frozenset(report.succeeded)


def _installed(workspace: Workspace, nodes: Collection[Node]) -> list[Declaration]:
    """The benchmarks and deployments of `nodes`: what may name packages."""
    benchmarks = {n.evaluation.benchmark.name: n.evaluation.benchmark for n in nodes}
    return [*benchmarks.values(), *_servers(workspace, nodes)]


def _servers(workspace: Workspace, nodes: Iterable[Node]) -> list[Declaration]:
    names = dict.fromkeys(name for node in nodes for name in node.services)
    return [workspace.project.deployments[name] for name in names]


def _once(nodes: list[Node]) -> list[Node]:
    """The same cell in two evals runs once."""
    seen: dict[str, Node] = {}
    for node in nodes:
        seen.setdefault(node.action.digest, node)
    return list(seen.values())


def _ready(request: Request, workspace: Workspace, plan: Plan) -> Secrets:
    """Everything that can be known to go wrong is said before anything starts; else the secrets."""
    from evalmake.preflight.deployments import lacking
    from evalmake.preflight.requirements import secrets_of
    from evalmake.run.job_builder import JobBuilder
    from evalmake.run.secrets import KEYRING_SERVICE, Secrets

    found, secrets = Diagnostics(), Secrets()
    if request.detach:
        check_detached(workspace.project, _once(plan.stale), workspace.plugins, found)
    project, told = workspace.project, set()
    environments = workspace.environments()
    known: set[str] = set()

    def lacks(kind: str, name: str, why: str, span: Span) -> None:
        if why and (kind, name) not in told:
            told.add((kind, name))
            found.error("not-available", f"{kind} `{name}`: {why}", span)

    for name, decision in plan.reports.items():
        report = plan.graph.reports[name].declared
        if decision.must_write and report.block.sign:
            lacks("report", name, _SIGN, report.fields.spans["sign",].value)
    for node in _once(plan.stale):
        cell = node.evaluation
        harness = workspace.plugins.get("harnesses", cell.benchmark.plugin)
        lacks("harness", cell.benchmark.plugin, harness.needs, cell.benchmark.span)
        there = has_its_python(project.executors[node.executor])
        if not there and (missing := environments.missing_program(cell.benchmark, harness)) is not None:
            found.append(missing)
        wanted, places = secrets_of(project, node), [cell.variant.block.executor]
        for name in node.services:
            deployment = project.deployments[name]
            engine = workspace.plugins.get("engines", deployment.plugin)
            lacks("engine", deployment.plugin, engine.needs, deployment.span)
            places.append(deployment.block.executor)
        for place in places:
            executor = project.executors[place]
            plugin = workspace.plugins.get("executors", executor.plugin)
            lacks("executor", place, plugin.capabilities.unavailable, executor.span)
        for name in secrets.missing_names(wanted):
            if ("secret", name) not in told:
                told.add(("secret", name))
                found.error(
                    "missing-secret",
                    f"the secret `{name}` is neither in the environment nor in the keyring",
                    wanted[name],
                    notes=[secrets.keyring_error] if secrets.keyring_error else [],
                    help=[
                        f"set it for this command: export {name}=...",
                        f"or keep it: keyring set {KEYRING_SERVICE} {name}",
                    ],
                )
        known |= set(wanted)
    job_builder = JobBuilder(project, workspace.plugins, workspace.root, environments.environment_of)
    for deployment in _servers(workspace, plan.stale):
        engine = workspace.plugins.get("engines", deployment.plugin)
        found.extend(lacking(job_builder, environments, deployment, engine))
    found.check()
    secrets.resolve({name: name for name in known})  # also those of jobs that are to be taken over
    return secrets


def _conclude(workspace: Workspace, graph: Graph, plan: Plan, store: Store, outcome: BuildOutcome) -> None:
    """Judge the gates, write the reports, gather the results."""
    heads: dict[str, ActionHistory | None] = {n.name: store.history(n.action.digest) for n in graph.nodes.values()}
    nodes = list(graph.nodes.values())
    confidence = workspace.project.settings.confidence
    outcome.gates = workspace.verdicts(nodes, heads, store)
    if not (outcome.interrupted or outcome.detached):
        for name, decision in plan.reports.items():
            if decision.must_write:
                _write(name, workspace, graph, plan, store, outcome)
    gates = [verdict.result for verdict in outcome.gates]
    outcome.results = collect_results("results", nodes, heads, outcome.ran, plan.digest, gates, confidence=confidence)
    if outcome.status == OK and not outcome.detached and any(not gate.met for gate in gates):
        outcome.status = FAILED if any(gate.met is None for gate in gates) else UNMET


def _write(name: str, workspace: Workspace, graph: Graph, plan: Plan, store: Store, outcome: BuildOutcome) -> None:
    report = graph.reports[name]
    heads: dict[str, ActionHistory | None] = {n.name: store.history(n.action.digest) for n in report.nodes}
    block = report.declared.block
    confidence = workspace.project.settings.confidence
    gates = workspace.gates(report, store)
    results = collect_results(
        name,
        report.nodes,
        heads,
        outcome.ran,
        plan.digest,
        gates,
        block.rows,
        block.column,
        confidence,
        block.compare or "",
    )
    if not results.results:
        return
    if block.compare:
        results = results.with_comparisons(make_item_reader(store))
    path = workspace.report_path(report.declared)
    exporter = workspace.plugins.get("exporters", report.declared.plugin)
    try:
        exporter().export(results, path)
    except NotImplementedError as error:
        outcome.problems += make_error("not-available", f"report {name}: {error}", report.declared.span).diagnostics
    except OSError as error:
        span = report.declared.fields.spans["path",].value
        failure = make_error("report-failed", f"{block.path} cannot be written: {error.strerror}", span)
        outcome.problems += failure.diagnostics
    else:
        identity = report_identity(report, heads, [f"{g.address} {g.message}" for g in gates])
        if not results.missing:
            store.record_report(workspace.report_key(report.declared), {**identity, "(file)": hash_file(path)})
        outcome.written.append(path)
        return
    outcome.status = FAILED
