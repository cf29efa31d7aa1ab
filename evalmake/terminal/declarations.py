"""What `evalmake show` prints: declarations and cells, each value with the place where it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.source import Span
from evalmake.language.values import Files, SecretRef, format_value, join_files
from evalmake.project.axes import to_part
from evalmake.project.declarations import Declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.fields import Fields
from evalmake.project.matrix import Evaluation
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.project.targets import match_cells
from evalmake.project.unasked_models import NO_MODEL
from evalmake.terminal.display_path import display_path
from evalmake.terminal.sent_requests import Row, list_requests
from evalmake.workspace import Workspace

KINDS = ("model", "deployment", "benchmark", "executor", "report")
_WIDEST_VALUE = 50
_WIDEST_STATEMENT = 60


def render_declaration(workspace: Workspace, target: str, as_json: bool) -> str:
    """One declaration, `KIND NAME` or a unique name; or the cells that a path or pattern means."""
    project = workspace.project
    cells = match_cells(target, (cell for group in workspace.cells.values() for cell in group))
    if cells and ("/" in target or cells[1:] or _is_single_cell(project, target)):
        return "\n\n".join(_render_cell(project, workspace.plugins, cell, as_json) for cell in cells)
    texts = list(_render_named(project, target, as_json))
    if not texts:
        raise _unknown_target(workspace, target)
    return "\n\n".join(texts)


def _is_single_cell(project: Project, target: str) -> bool:
    """Whether a name is that of an eval without axes, and of nothing else."""
    declared = target in project.evals and not project.evals[target].axes
    return declared and not any(target in project.of(kind) for kind in KINDS)


def _render_named(project: Project, target: str, as_json: bool) -> Iterable[str]:
    """The declarations of a name: one a kind, where no kind is given."""
    kind, _, name = target.rpartition(" ")
    for each in KINDS:
        if kind in ("", each) and (declared := project.of(each).get(name)):
            yield _render_fields(f"{each} {name}", declared.fields, declared.span.location, declared.doc, as_json)
    if kind in ("", "eval") and (eval := project.evals.get(name)):
        text = _render_fields(f"eval {name}", eval.fields, eval.span.location, eval.doc, as_json)
        yield text if as_json else text + _render_matrix(eval)


def _unknown_target(workspace: Workspace, target: str) -> EvalmakeError:
    """The error for a name that nothing has."""
    project = workspace.project
    known = [cell.name for group in workspace.cells.values() for cell in group]
    known += [*project.evals, *(name for kind in KINDS for name in project.of(kind))]
    suggestion = closest_name(target, known)
    help = [f"did you mean `{suggestion}`?"] if suggestion else []
    return make_error("unknown-target", f"there is no declaration or target `{target}`", help=help)


def _render_matrix(declaration: EvalDeclaration) -> str:
    """An eval's axes, conditions and requirements, each with its place."""
    rows = [(f"{axis.key} in [{', '.join(map(to_part, axis.values))}]", axis.span) for axis in declaration.axes]
    rows += [(f"skip {skip.text}", skip.span) for skip in declaration.skips]
    rows += [(f"when {when.text}", when.span) for when in declaration.whens]
    for condition, gates in [("", declaration.gates), *((when.text, when.gates) for when in declaration.whens)]:
        suffix = f" when {condition}" if condition else ""
        for gate in gates:
            rows.append((f"require {gate.text}{suffix}", gate.span))
    width = min(max((len(text) for text, _ in rows), default=0), _WIDEST_STATEMENT)
    return "".join(f"\n    {text:<{width}}  {span.location}" for text, span in rows)


def _render_cell(project: Project, plugins: PluginRegistry, cell: Evaluation, as_json: bool) -> str:
    """A cell's own values, what its requests hold, then its model, its deployment and its benchmark."""
    unasked = cell.benchmark.unasked
    asked = f"model {cell.model.name}"
    if unasked:
        asked = "no model" if cell.model.name == NO_MODEL else f"{asked}, which is not asked"
    title = f"{cell.name}  ({asked}, benchmark {cell.benchmark_name}, seed {cell.seed})"
    deployment = cell.model.block.deployment
    declared: list[tuple[str, Declaration]] = [] if unasked else [(f"model {cell.model.name}", cell.model)]
    declared += [(f"deployment {deployment}", project.deployments[deployment])] if deployment else []
    declared += [(f"benchmark {cell.benchmark.name}", cell.benchmark)]
    declaration = cell.variant.eval
    own = _render_fields(title, cell.variant.fields, cell.span.location, declaration.doc, as_json)
    parts = [own if as_json or declaration.axes else own + _render_matrix(declaration)]
    for sent in list_requests(project, plugins, cell):
        parts.append(_render_rows(sent.title, sent.rows, cell.span.location, "", as_json))
    parts += [_render_fields(name, each.fields, each.span.location, "", as_json) for name, each in declared]
    return "\n".join(parts)


def _render_fields(title: str, fields: Fields, place: str, doc: str, as_json: bool) -> str:
    """A title, and a line for each value: as written, where, and from which declaration it is inherited."""
    rows = []
    for path, written in fields.spans.items():
        value: Any = fields.values.get(path[0])
        if len(path) == 1 and isinstance(value, dict):
            continue
        for step in path[1:]:
            value = value[step] if isinstance(value, dict) else value
        text = _render_value(value, written.value)
        rows.append(Row(".".join(path), text, written.value.location, written.origin))
    return _render_rows(title, rows, place, doc, as_json)


def _render_rows(title: str, rows: Sequence[Row], place: str, doc: str, as_json: bool) -> str:
    if as_json:
        values = {row.key: {"value": row.value, "at": row.place, "origin": row.note} for row in rows}
        return json.dumps({"name": title, "at": place, "values": values}, ensure_ascii=False)
    key_width = max((len(row.key) for row in rows), default=0)
    width = min(max((len(row.value) for row in rows), default=0), _WIDEST_VALUE)
    lines = [f"{title}  {place}"] + [f"    # {line}" for line in doc.splitlines()]
    for key, text, at, origin in rows:
        origins = [part for part in (at, "" if origin == "own" else origin) if part]
        lines.append(f"    {key:<{key_width}} = {text:<{width}}  {', '.join(origins)}".rstrip())
    return "\n".join(lines)


def _render_value(value: object, span: Span) -> str:
    """A value as an Evalfile writes it; paths as this Evalfile does, or relative to the working folder."""
    value = join_files(value)
    if not isinstance(value, Files):
        return format_value(value)
    written = " ".join(span.source.text[span.start : span.end].split())
    if re.match(r"(\[\s*)?(file|glob)\(", written):
        return written
    calls = ", ".join(f'file("{display_path(file.path)}")' for file in value.files)
    return calls if len(value.files) == 1 else f"[{calls}]"


def secret_names(project: Project) -> set[str]:
    """Every secret that an Evalfile names."""
    names: set[str] = set()

    def search(value: object) -> None:
        if isinstance(value, SecretRef):
            names.add(value.name)
        elif isinstance(value, Mapping):
            for item in value.values():
                search(item)

    declared: Declaration
    for kind in ("model", "deployment", "executor", "report"):
        for declared in project.of(kind).values():
            search(declared.fields.values)
    return names
