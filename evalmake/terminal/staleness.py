"""What `evalmake why` prints: the reasons why a target is stale, or the time of its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalmake.planner.action import ActionResult
from evalmake.planner.digest import BEHAVIOURS, describe_change
from evalmake.planner.graph import Node
from evalmake.planner.plan import ReportDecision
from evalmake.planner.staleness import ActionHistory, Decision, Reason, find_part_changes
from evalmake.project.matrix import Evaluation
from evalmake.project.project import Project
from evalmake.store.records import UnreadableRecord
from evalmake.store.store import Store
from evalmake.terminal.plan import render_reasons
from evalmake.terminal.tables import align_columns
from evalmake.workspace import Workspace


def render_decision(workspace: Workspace, decision: Decision, store: Store) -> str:
    """Return every reason for one target: the value before and after, and where the Evalfile sets it."""
    if not decision.stale:
        head = decision.head
        assert head is not None
        accepted = f", accepted because {head.accepted}" if head.accepted else ""
        return f"{decision.name} is up to date: attempt {head.success} of {_moment(head.finished)}{accepted}"
    if decision.awaits_rerun:
        return f"{decision.name} is stale: {render_reasons(decision.reasons)}\n{_render_earlier(decision)}"
    changes = [reason for reason in decision.reasons if reason.kind == "changed"]
    if changes:
        return f"{decision.name} is stale: {_render_changes(workspace, decision, changes, store)}"
    stale = f"{decision.name} is stale: {render_reasons(decision.reasons)}"
    if decision.reasons[0].kind in ("failed", "cancelled") and (changes := _find_changes(decision, store)):
        return f"{stale}\n{_render_changes(workspace, decision, changes, store)}"
    return stale


def _find_changes(decision: Decision, store: Store) -> list[Reason]:
    """What differs from the last valid result, where the last attempt of this identity gave none."""
    before = store.baseline(decision.name)
    changes = find_part_changes(before, decision.action, store) if before else []
    return [Reason("changed", change.path, change.before, change.now) for change in changes]


def _render_changes(workspace: Workspace, decision: Decision, changes: Sequence[Reason], store: Store) -> str:
    """How many differences there are and from which attempt, a line for each, and what is unchanged."""
    last = find_last_success(store, decision.name)
    since = f" from attempt {last.attempts} of {_moment(last.finished)}" if last else ""
    title = f"{len(changes)} difference{'s' * (len(changes) != 1)}{since}"
    cell = _find_cell(workspace, decision.name)
    lines = align_columns(
        [
            (f"  {subject}", f" {how}", f" {_find_place(workspace.project, cell, reason)}")
            for reason in changes
            for subject, how in [describe_change(reason.subject, reason.before, reason.now)]
        ]
    )
    return "\n".join([title, *lines, _render_unchanged(decision, changes), *_describe_replies(decision)])


def _describe_replies(decision: Decision) -> Iterator[str]:
    """Whether a run scores stored replies again, or why it asks although only what scores has changed."""
    if decision.replies is not None:
        yield f"a build scores its {decision.replies.count} stored replies again, and asks the model nothing"
    elif decision.asks:
        yield f"a build asks the model again, as {decision.asks}"


def _render_earlier(decision: Decision) -> str:
    """The result that counts for nothing while its rerun is wanted, and how it counts again."""
    head = decision.head
    assert head is not None
    made = f"attempt {head.success} of {_moment(head.finished)} does not count until a run succeeds"
    return f'{made}, or `evalmake accept {decision.name} --because "..."` withdraws the rerun'


def render_report_decision(decision: ReportDecision, path: str) -> str:
    """Why a report will be written, or that it is up to date."""
    if not decision.must_write:
        return f"{decision.name} is up to date: {path}"
    causes = [f"{decision.stale} of its {decision.total} results will change"] if decision.stale else []
    causes += [render_reasons(decision.reasons)] if decision.reasons else []
    return f"{decision.name} is stale: {', '.join(causes)}"


def _render_unchanged(decision: Decision, changes: Sequence[Reason]) -> str:
    """Return how many values of each part of the identity are unchanged."""
    changed = {reason.subject for reason in changes}
    counts = []
    for name, part in decision.action.parts:
        same = [path for path, _ in part.pairs if path and (f"{name}.{path}" if name else path) not in changed]
        label = name or "the cell itself"
        if same:
            counts.append(f"{label} ({len(same)} values)" if len(same) > 1 else label)
    return "unchanged: " + ", ".join(counts)


def _find_place(project: Project, cell: Evaluation | None, reason: Reason) -> str:
    """Where the value that a reason is about is written now; empty where it cannot be found."""
    if cell is None:
        return ""
    part, _, rest = reason.subject.partition(".")
    fields = {"model": cell.model.fields, "benchmark": cell.benchmark.fields}.get(part, cell.variant.fields)
    if reason.subject.startswith(BEHAVIOURS):
        part, rest = "benchmark", reason.subject.removeprefix(BEHAVIOURS).split()[0]
    path = rest if part in ("model", "benchmark") else reason.subject
    if part == "model" and path.startswith("deployment."):
        path = path.removeprefix("deployment.")
        fields = project.deployments[cell.model.block.deployment].fields
    steps = tuple(path.replace("[", ".").split("."))
    for source in (fields, cell.benchmark.fields):
        for length in range(len(steps), 0, -1):
            if steps[:length] in source.spans:
                return source.spans[steps[:length]].value.location
    axis = next((axis for axis in cell.variant.eval.axes if axis.key == steps[0]), None)
    return axis.span.location if axis else ""


def find_last_success(store: Store, name: str) -> ActionHistory | None:
    """The history of the action whose result was last valid for a target, else of its latest success."""
    baseline = store.baseline(name)
    found: ActionHistory | None = None
    for action, head in store.histories().items():
        if head.success is None:
            continue
        record = _read_attempt(store, action, head.success)
        if record is None or record.name != name:
            continue
        if record.identity == baseline:
            return head
        if found is None or head.finished > found.finished:
            found = head
    return found


def find_attempt_to_show(store: Store, node: Node) -> ActionResult | None:
    """The last attempt of a target, of this identity or else of an earlier one."""
    store.histories()  # refuses a store that a newer evalmake wrote to
    numbers = store.attempt_numbers(node.action.digest)
    return store.attempt(node.action.digest, max(numbers)) if numbers else find_last_attempt(store, node.name)


def find_last_attempt(store: Store, name: str) -> ActionResult | None:
    """The latest attempt of a target, whatever has changed since, and however it ended."""
    latest = (_read_attempt(store, action, head.attempts) for action, head in store.histories().items())
    return max((one for one in latest if one and one.name == name), key=lambda one: one.finished, default=None)


def _read_attempt(store: Store, action: str, number: int) -> ActionResult | None:
    """The record of an attempt; None where it is damaged: then it is the last of nothing."""
    try:
        return store.attempt(action, number)
    except UnreadableRecord:
        return None


def _find_cell(workspace: Workspace, name: str) -> Evaluation | None:
    group = workspace.cells.get(name.partition("/")[0], [])
    return next((cell for cell in group if cell.name == name), None)


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")
