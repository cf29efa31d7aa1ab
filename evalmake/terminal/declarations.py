"""What `list`, `show` and `why` print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.language.values import SecretRef, format_value
from evalmake.planner.digest import describe_text
from evalmake.planner.plan import ReportDecision
from evalmake.planner.staleness import ActionHistory, Decision, Reason
from evalmake.project.declarations import Declaration, EvalDeclaration
from evalmake.project.fields import Fields
from evalmake.project.matrix import Evaluation
from evalmake.project.project import Project
from evalmake.project.targets import match_cells
from evalmake.session import BuildOutcome
from evalmake.store.store import Store
from evalmake.terminal.plan import reasons_text
from evalmake.workspace import Workspace


def targets(workspace: Workspace, as_json: bool) -> str:
    """Evals, reports and aliases with their comments."""
    project = workspace.project
    rows = [
        *(("eval", n, f"{len(workspace.cells[n])} cells", d.doc) for n, d in project.evals.items()),
        *(("report", n, str(d.block.path), d.doc) for n, d in project.reports.items()),
        *(("alias", n, " ".join(t.text for t in a.node.targets), a.doc) for n, a in project.aliases.items()),
    ]
    if as_json:
        keys = ("kind", "name", "what", "doc")
        return "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows)
    width = max((len(row[1]) for row in rows), default=0)
    lines = [
        f"{name:<{width}}  {kind}: {what}" + (f"  # {_first(doc)}" if doc else "") for kind, name, what, doc in rows
    ]
    return "\n".join(lines) or "this Evalfile declares no targets"


def _first(doc: str) -> str:
    return doc.splitlines()[0]


def show_target(workspace: Workspace, target: str, as_json: bool) -> str:
    """One declaration, `KIND NAME` or a unique name; or one cell."""
    project = workspace.project
    cells = match_cells(target, (c for group in workspace.cells.values() for c in group))
    if cells and "/" in target:
        return "\n\n".join(_cell(project, cell, as_json) for cell in cells)
    kind, _, name = target.rpartition(" ")
    found: list[tuple[str, Fields, str, str]] = [
        (k, item.fields, item.span.location, item.doc)
        for k in ("model", "deployment", "benchmark", "executor", "report")
        if kind in ("", k) and (item := project.of(k).get(name))
    ]
    if name in project.evals and kind in ("", "eval"):
        declaration = project.evals[name]
        found.append(("eval", declaration.fields, declaration.span.location, declaration.doc))
    if not found:
        known = [cell.name for group in workspace.cells.values() for cell in group]
        known += [
            *project.models,
            *project.benchmarks,
            *project.evals,
            *project.reports,
            *project.deployments,
        ]
        meant = closest_name(target, known)
        hint = [f"did you mean `{meant}`?"] if meant else []
        raise make_error("unknown-target", f"nothing is named `{target}`", help=hint)
    texts = [_fields(f"{k} {name}", fields, at, doc, as_json) for k, fields, at, doc in found]
    if found[-1][0] == "eval" and not as_json:
        texts[-1] += _matrix(project.evals[name])
    return "\n\n".join(texts)


def _matrix(declaration: EvalDeclaration) -> str:
    """An eval's axes, conditions and requirements, each with its place."""
    rows = [(f"{axis.key} in [{', '.join(map(str, axis.values))}]", axis.span) for axis in declaration.axes]
    rows += [(f"skip {skip.text}", skip.span) for skip in declaration.skips]
    conditions = [("", declaration.gates), *((w.text, w.gates) for w in declaration.whens)]
    rows += [(f"when {when.text}", when.span) for when in declaration.whens]
    rows += [
        (
            f"require {gate.metric} {gate.op} {gate.bound:g}" + (f" when {text}" if text else ""),
            gate.span,
        )
        for text, gates in conditions
        for gate in gates
    ]
    width = min(max((len(text) for text, _ in rows), default=0), 60)
    return "".join(f"\n    {text:<{width}}  {span.location}" for text, span in rows)


def _cell(project: Project, cell: Evaluation, as_json: bool) -> str:
    served = cell.model.block.deployment
    deployed = [project.deployments[served]] if served else []
    head = f"{cell.name}  (model {cell.model.name}, benchmark {cell.benchmark.name}, seed {cell.seed})"
    parts = [
        _fields(head, cell.variant.fields, cell.span.location, "", as_json),
        _fields(f"model {cell.model.name}", cell.model.fields, cell.model.span.location, "", as_json),
        *(_fields(f"deployment {d.name}", d.fields, d.span.location, "", as_json) for d in deployed),
        _fields(
            f"benchmark {cell.benchmark.name}",
            cell.benchmark.fields,
            cell.benchmark.span.location,
            "",
            as_json,
        ),
    ]
    return "\n".join(parts)


def _fields(head: str, fields: Fields, place: str, doc: str, as_json: bool) -> str:
    rows = []
    for path, written in fields.spans.items():
        value: Any = fields.values.get(path[0])
        if len(path) == 1 and isinstance(value, dict):
            continue
        for step in path[1:]:
            value = value[step] if isinstance(value, dict) else value
        rows.append((".".join(path), format_value(value), written.value.location, written.origin))
    if as_json:
        values = {key: {"value": text, "at": at, "origin": origin} for key, text, at, origin in rows}
        return json.dumps({"name": head, "at": place, "values": values}, ensure_ascii=False)
    width = max((len(row[0]) for row in rows), default=0)
    wide = min(max((len(row[1]) for row in rows), default=0), 50)
    lines = [f"{head}  {place}"] + [f"    # {line}" for line in doc.splitlines()]
    for key, text, at, origin in rows:
        lines.append(f"    {key:<{width}} = {text:<{wide}}  {at}" + ("" if origin == "own" else f", {origin}"))
    return "\n".join(lines)


def why(workspace: Workspace, decision: Decision, store: Store) -> str:
    """Every reason of one target, with before and after and where the value stands now."""
    if not decision.stale:
        head = decision.head
        assert head is not None
        accepted = f", accepted because {head.accepted}" if head.accepted else ""
        return f"{decision.name} is up to date: attempt {head.success} of {_moment(head.finished)}{accepted}"
    changed = [r for r in decision.reasons if r.kind == "changed"]
    if not changed:
        return f"{decision.name} is stale: {reasons_text(decision.reasons)}"
    last = previous(store, decision.name)
    since = f" from attempt {last.attempts} of {_moment(last.finished)}" if last else ""
    plural = "s" if len(changed) != 1 else ""
    cell = _find(workspace, decision.name)
    rows = [
        (
            r.subject,
            f"{describe_text(r.before)} -> {describe_text(r.now)}",
            origin(workspace.project, cell, r),
        )
        for r in changed
    ]
    width, wide = (max(len(row[i]) for row in rows) for i in (0, 1))
    lines = [f"{decision.name} is stale: {len(changed)} difference{plural}{since}"]
    lines += [f"  {a:<{width}}   {b:<{wide}}   {c}".rstrip() for a, b, c in rows]
    return "\n".join([*lines, _unchanged(decision, changed)])


def why_report(decision: ReportDecision, path: str) -> str:
    """Why a report is to be written, or that it is not."""
    if not decision.must_write:
        return f"{decision.name} is up to date: {path}"
    moved = f"{decision.stale} of its {decision.total} results are to change" if decision.stale else ""
    reasons = reasons_text(decision.reasons) if decision.reasons else ""
    return f"{decision.name} is stale: {', '.join(filter(None, [moved, reasons]))}"


def _unchanged(decision: Decision, changed: list[Reason]) -> str:
    moved = {r.subject for r in changed}
    counts = []
    for name, part in decision.action.parts:
        same = [p for p, _ in part.pairs if p and (f"{name}.{p}" if name else p) not in moved]
        label = name or "the cell's own"
        if same:
            counts.append(f"{label} ({len(same)} values)" if len(same) > 1 else label)
    return "unchanged: " + ", ".join(counts)


def origin(project: Project, cell: Evaluation | None, reason: Reason) -> str:
    """Where the value that a reason speaks of is written now."""
    if cell is None:
        return ""
    part, _, rest = reason.subject.partition(".")
    fields = {"model": cell.model.fields, "benchmark": cell.benchmark.fields}.get(part, cell.variant.fields)
    path = rest if part in ("model", "benchmark") else reason.subject
    if part == "model" and path.startswith("deployment."):
        path = path.removeprefix("deployment.")
        fields = project.deployments[cell.model.block.deployment].fields
    steps = tuple(path.replace("[", ".").split("."))
    for source in (fields, cell.benchmark.fields):
        for length in range(len(steps), 0, -1):
            if steps[:length] in source.spans:
                return source.spans[steps[:length]].value.location
    axis = next((a for a in cell.variant.eval.axes if a.key == steps[0]), None)
    return axis.span.location if axis else ""


def previous(store: Store, name: str) -> ActionHistory | None:
    """The standing of the action that the target `name` last succeeded with."""
    found: ActionHistory | None = None
    for action, head in store.histories().items():
        if head.success is None:
            continue
        record = store.attempt(action, head.success)
        if record and record.name == name and (found is None or head.finished > found.finished):
            found = head
    return found


def _find(workspace: Workspace, name: str) -> Evaluation | None:
    group = workspace.cells.get(name.partition("/")[0], [])
    return next((cell for cell in group if cell.name == name), None)


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


def secret_names(project: Project) -> set[str]:
    """Every secret that an Evalfile names."""
    found: set[str] = set()

    def search(value: object) -> None:
        if isinstance(value, SecretRef):
            found.add(value.name)
        elif isinstance(value, Mapping):
            for item in value.values():
                search(item)

    declared: Declaration
    for kind in ("model", "deployment", "executor", "report"):
        for declared in project.of(kind).values():
            search(declared.fields.values)
    return found


def outcome_json(outcome: BuildOutcome) -> dict[str, Any]:
    """The end of a build for programs."""
    results = outcome.results
    return {
        "status": outcome.status,
        "plan": outcome.plan.digest,
        "ran": sorted(outcome.ran),
        "results": [
            {
                "name": r.name,
                "metric": r.metric,
                "scores": [asdict(s) for s in r.scores],
                "reused": r.reused,
            }
            for r in (results.results if results else ())
        ],
        "missing": list(results.missing) if results else [],
        "gates": [asdict(gate.result) for gate in outcome.gates],
        "written": [str(path) for path in outcome.written],
    }
