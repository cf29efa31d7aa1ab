"""Checks that every name in a declaration is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.source import Span
from evalmake.language.text import with_article
from evalmake.language.tree import Assign, Reference
from evalmake.language.values import Symbol
from evalmake.project import catalog
from evalmake.project.declarations import Declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.inheritance import ParsedDeclaration
from evalmake.project.key_types import find_reference_keys
from evalmake.project.project import Project
from evalmake.project.report_columns import check_groups, check_sections
from evalmake.project.report_rows import NAMED_ROWS, check_axis_baseline, check_coordinates, report_unnamed_baseline
from evalmake.project.schema import KINDS


def check_references(
    project: Project, parsed: Mapping[tuple[str, str], ParsedDeclaration], diagnostics: Diagnostics
) -> None:
    """Check that every name in a declaration is declared."""
    for kind in ("model", "deployment", "benchmark"):
        for item in project.of(kind).values():
            for block in (item.block, item.settings):
                kinds = find_reference_keys(type(block)) if isinstance(block, BaseModel) else {}
                for key, wanted in kinds.items():
                    value = getattr(block, key)
                    at = item.fields.spans.get((key,))
                    if value is not None and value not in project.of(wanted):
                        span = at.value if at else item.span
                        report_unknown_name(project, wanted, value, span, f"{kind} {item.name}", diagnostics, parsed)
    keys = (axis.key for declaration in project.evals.values() for axis in declaration.axes if not axis.is_core)
    axes = tuple(dict.fromkeys(keys))
    for report in project.reports.values():
        check_coordinates(report, axes, diagnostics)
        _check_baseline(report, project, parsed, diagnostics)
        check_groups(report, project, diagnostics)
        check_sections(report, project, diagnostics)
    for declaration in project.evals.values():
        about = f"eval {declaration.name}"
        for key in ("model", "benchmark", "executor"):
            for value, span in names_given(declaration, key):
                if value not in project.of(key):
                    report_unknown_name(project, key, value, span, about, diagnostics, parsed)


def _check_baseline(
    report: Declaration, project: Project, parsed: Mapping[tuple[str, str], ParsedDeclaration], diagnostics: Diagnostics
) -> None:
    """Check that `compare` names a row of the report."""
    name, rows, about = report.block.compare, report.block.rows, f"report {report.name}"
    if name is None:
        return
    span = report.fields.spans["compare",].value
    if rows not in NAMED_ROWS:
        check_axis_baseline(report, project.evals.values(), diagnostics)
    elif not isinstance(report.fields.values["compare"], Symbol):
        report_unnamed_baseline(report, diagnostics)
    elif name not in project.of(rows) and (of := next((one for one in NAMED_ROWS if name in project.of(one)), "")):
        diagnostics.error(
            "unknown-name",
            f"no {rows} is named `{name}`, so the report has no such row",
            span,
            about=about,
            notes=[f"`{name}` is {with_article(of)}, and each row stands for {with_article(rows)}"],
            help=[f"to compare {of}s, write `rows = {of}`" + (", `column = model`" if of == "benchmark" else "")],
        )
    elif name not in project.of(rows):
        report_unknown_name(project, rows, name, span, about, diagnostics, parsed)


def names_given(declaration: EvalDeclaration, key: str) -> list[tuple[str, Span]]:
    """Return the names that an eval sets for `key` in values, axes and `when` blocks, with their spans."""
    for axis in declaration.axes:
        if axis.key == key:
            return [(str(v), s) for v, s in zip(axis.values, axis.spans, strict=True)]
    value = declaration.fields.values.get(key)
    names_given = _names_in_conditions(declaration, key)
    written = declaration.fields.spans.get((key,))
    own = [(str(value), written.value)] if isinstance(value, Symbol) and written else []
    return own + names_given


def _names_in_conditions(declaration: EvalDeclaration, key: str) -> list[tuple[str, Span]]:
    return [
        (statement.value.text, when.block.file.span(statement.value))
        for when in declaration.whens
        for statement in when.block.body
        if isinstance(statement, Assign) and statement.key.text == key and isinstance(statement.value, Reference)
    ]


def report_unknown_name(
    project: Project,
    kind: str,
    name: str,
    span: Span,
    about: str,
    diagnostics: Diagnostics,
    parsed: Mapping[tuple[str, str], ParsedDeclaration],
) -> None:
    """Report that no `kind` has this name, and which was probably meant."""
    meant = closest_name(name, project.of(kind))
    hint = []
    if meant:
        place = project.of(kind)[meant].span.location
        hint = [f"did you mean `{meant}`, declared at {place}?"]
    elif kind == "benchmark":
        hint = catalog.suggest_benchmarks(name)
    others = [other for other in KINDS if (other, name) in parsed and other != kind]
    if (kind, name) in parsed and name.startswith("_"):
        notes = [f"`{name}` is a template: inherit from it with `from {name}`"]
    elif others:
        notes = [f"there is {with_article(others[0])} of that name"]
    elif not hint and len(project.of(kind)) <= 8:
        known = sorted(project.of(kind))
        are = f"the {kind}s are" if known[1:] else f"the only {kind} is"
        notes = [f"{are} {', '.join(known)}" if known else f"no {kind} is declared"]
    else:
        notes = []
    diagnostics.error("unknown-name", f"no {kind} is named `{name}`", span, about=about, notes=notes, help=hint)


class HasModels(Protocol):
    """A project, or the graph of one."""

    @property
    def models(self) -> Mapping[str, Declaration]:
        """The models by name."""


def find_further_models(project: HasModels, benchmark: Declaration) -> dict[str, Declaration]:
    """The models that a benchmark itself asks, by role: the `judge`, and the `embedder`."""
    settings, found = benchmark.settings, dict[str, Declaration]()
    for key, kind in find_reference_keys(type(settings)).items() if settings else ():
        name = getattr(settings, key)
        if kind == "model" and name:
            found.setdefault("embedder" if key == "embedder" else "judge", project.models[name])
    return found


def find_judge(project: Project, benchmark: Declaration) -> Declaration | None:
    """The judge of a benchmark, if it names one."""
    return find_further_models(project, benchmark).get("judge")
