"""Makes the plan of a graph from the records of the store, and checks a plan before it runs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from evalmake.language.diagnostic import Diagnostic, Diagnostics, EvalmakeError, Severity
from evalmake.planner.graph import Graph, Node, ReportNode
from evalmake.planner.plan import Plan
from evalmake.planner.plan import make_plan as make_plan_from_records
from evalmake.planner.staleness import ActionHistory, Reason
from evalmake.planner.stored_replies import StoredReplies
from evalmake.preflight.context import BuildContext, first_of_each
from evalmake.preflight.data_files import check_data_files
from evalmake.preflight.run_all import check_build
from evalmake.preflight.secrets import required_secrets, signing_secrets
from evalmake.project.declarations import Declaration
from evalmake.reply_sources import find_stored_replies
from evalmake.report_content import report_reasons
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets, hide_environment
from evalmake.scoring.sample_counts import STORED_REPLIES
from evalmake.store.damage import drop_damaged_results, drop_damaged_samples, drop_output
from evalmake.store.failure import DamagedOutput
from evalmake.store.store import Store
from evalmake.workspace import Workspace


def make_plan(workspace: Workspace, graph: Graph, store: Store, forced: bool = False) -> Plan:
    """Plan to run what has no valid result in the store, or everything if `forced`."""

    def reasons(report: ReportNode, changing: bool) -> list[Reason]:
        return report_reasons(workspace, report, store, changing)

    def find_replies(node: Node) -> tuple[StoredReplies | None, str]:
        return find_stored_replies(node, store, workspace.plugins)

    shown = (node for report in graph.reports.values() for node in report.nodes)
    actions = {node.action.digest for node in (*graph.nodes.values(), *shown)}
    overrides, confidence = workspace.project.overrides, workspace.project.settings.confidence
    drop_damaged_results(store, actions)
    while True:
        try:
            return make_plan_from_records(graph, store, _age, reasons, overrides, forced, confidence, find_replies)
        except DamagedOutput as error:  # a report compares samples; what it compares next may be damaged, too
            drop_output(store, error.blob)


def make_plan_of_build(workspace: Workspace, graph: Graph, store: Store, forced: bool = False) -> Plan:
    """Plan a build, which reads the samples that it shows and judges: what has damaged ones runs again."""
    checked = set[str]()
    while True:
        plan = make_plan(workspace, graph, store, forced)
        kept = (graph.nodes[one.name] for one in plan.decisions.values() if not one.stale)
        read = {node.action.digest for node in kept if node.evaluation.gates or not plan.is_empty}
        if not drop_damaged_samples(store, read - checked):
            return plan
        checked |= read


def distinct_actions(nodes: Collection[Node]) -> list[Node]:
    """Return one node for each action: a cell that two evals share runs once."""
    return list(first_of_each(nodes, lambda node: node.action.digest))


def declarations_with_packages(workspace: Workspace, nodes: Collection[Node]) -> list[Declaration]:
    """Return the benchmarks and deployments of `nodes`, which may name packages."""
    benchmarks = {n.evaluation.benchmark.name: n.evaluation.benchmark for n in nodes}
    servers = dict.fromkeys(name for node in nodes for name in node.services)
    return [*benchmarks.values(), *(workspace.project.deployments[name] for name in servers)]


def preflight_context(workspace: Workspace, plan: Plan, detach: bool) -> BuildContext:
    """Return the context for the checks of a build."""
    environments = workspace.environments()
    return BuildContext(
        workspace.project,
        workspace.plugins,
        plan.graph,
        nodes=distinct_actions(plan.stale),
        reports=[plan.graph.reports[name].declaration for name, one in plan.reports.items() if one.must_write],
        environments=environments,
        job_builder=JobBuilder(workspace.project, workspace.plugins, workspace.root, environments.environment_of),
        executor=workspace.executor,
        secrets=Secrets(),
        cache=workspace.root / "cache",
        detach=detach,
    )


def find_problems(workspace: Workspace, plan: Plan, detach: bool, dry_run: bool) -> list[Diagnostic]:
    """Return the errors with which a build of `plan` would end before it starts, and warnings."""
    return check_build(preflight_context(workspace, plan, detach), dry_run)


def check_before_build(workspace: Workspace, plan: Plan, detach: bool) -> tuple[Secrets, list[Diagnostic]]:
    """Return the secrets of a build with their values, and warnings. Raise EvalmakeError if there is an error."""
    context = preflight_context(workspace, plan, detach)
    problems = check_build(context, dry_run=False)
    if any(map(is_error, problems)):
        raise EvalmakeError(problems)
    secrets = context.secrets  # not a new one, which would ask the keyring again
    needed = required_secrets(workspace.project, plan.stale) | signing_secrets(context.reports)
    asked = required_secrets(workspace.project, [plan.graph.nodes[node.name] for node in plan.stale])
    needed |= {name: span for name, span in asked.items() if not secrets.missing_names([name])}  # it may ask after all
    secrets.resolve({name: name for name in needed})
    return secrets, problems


def check_fetched_data(workspace: Workspace, plan: Plan, detach: bool) -> list[Diagnostic]:
    """Return warnings on data that were downloaded after the other checks. Raise EvalmakeError if there is an error."""
    found = Diagnostics()
    check_data_files(preflight_context(workspace, plan, detach), found)
    problems = found.sorted()
    if any(map(is_error, problems)):
        raise EvalmakeError(problems)
    return problems


def hide_secrets(workspace: Workspace, graph: Graph) -> None:
    """Take the secrets of evaluations and reports out of this process's environment, before a job can look at it."""
    signing = signing_secrets(workspace.project.reports.values())
    hide_environment(required_secrets(workspace.project, graph.nodes.values()) | signing)


def is_error(problem: Diagnostic) -> bool:
    """Whether a problem ends the build; a warning does not."""
    return problem.severity is Severity.ERROR


def estimate_from_history(plan: Plan, store: Store) -> dict[str, ActionHistory]:
    """Return for each stale cell a past run of the same model and benchmark, to estimate time and tokens."""
    names = {decision.action.digest: decision.name for decision in plan.decisions.values()}
    past: dict[tuple[str, str], ActionHistory] = {}
    for history in store.histories().values():
        name = names.get(history.action)
        if name and history.success and not history.usage.get(STORED_REPLIES):
            past[_model_and_benchmark(plan.graph.nodes[name])] = history
    asking = (node for node in plan.stale if node.replies is None)
    return {node.name: past[key] for node in asking if (key := _model_and_benchmark(node)) in past}


def _model_and_benchmark(node: Node) -> tuple[str, str]:
    return node.evaluation.model.name, node.evaluation.benchmark.name


def _age(moment: str) -> float:
    """How many seconds ago an ISO 8601 time was."""
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
