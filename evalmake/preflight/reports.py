"""Checks reports: their paths, the row they compare with, and that this installation can write them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest_name
from evalmake.language.values import Files, SecretRef
from evalmake.preflight.context import BuildContext, GraphContext
from evalmake.preflight.secrets import find_span_of_key
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation
from evalmake.project.report_rows import find_baseline, find_groups, find_sections
from evalmake.run.report_signatures import SIGNATURE_ENDING, find_signature_file
from evalmake.run.signers import find_signer_of_key


def check_report_paths(context: GraphContext, diagnostics: Diagnostics) -> None:
    """No report overwrites an input, results or another report: one that is not chosen counts, too."""
    project = context.project
    evalfiles = {file.path for file in project.files.files} | {project.path.absolute().with_suffix(".lock")}
    inputs = {Path(path).absolute() for path in project.external.hashes.seen} | evalfiles
    own = [os.path.realpath(project.folder / name) for name in (".evalmake", project.settings.store or ".evalmake")]
    first: dict[Path, Declaration] = {}
    for report in project.reports.values():
        for path, written in _written_files(context, report):
            other = first.setdefault(path, report)
            if path in inputs:
                said = f"{written} is an input", "the report would overwrite it", "give the report another path"
            elif any(Path(os.path.realpath(path)).is_relative_to(folder) for folder in own):
                said = (
                    f"{written} lies where evalmake keeps results",
                    "the report could overwrite them",
                    "give the report a path outside `.evalmake` and the store",
                )
            elif other is not report:
                said = f"two reports write {written}", "written again here", ""
            else:
                continue
            message, label, help = said
            diagnostics.error(
                "same-path",
                message,
                report.fields.spans["path",].value,
                label,
                also=[] if help else [(other.fields.spans["path",].value, "first written here")],
                about=f"report {report.name}",
                help=[help] if help else [],
            )
            break


def _written_files(context: GraphContext, report: Declaration) -> Iterator[tuple[Path, str]]:
    """The files that a report writes, and their paths as the Evalfile would name them."""
    path = Path(os.path.abspath(context.project.folder / str(report.block.path)))
    yield path, str(report.block.path)
    if signature := find_signature_file(report, path, context.plugins):
        yield signature, f"{report.block.path}{SIGNATURE_ENDING}"


def check_report_baselines(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A report compares with one of its own rows, which only an override may take out."""
    for name, node in context.graph.reports.items():
        block = node.declaration.block
        baseline = find_baseline(block, context.project.evals.values())
        if not baseline or context.project.overrides:
            continue
        names = {_find_coordinate(one.evaluation, block.rows) for one in node.nodes}
        if baseline not in names:
            diagnostics.error(
                "unknown-word",
                f"`compare` cannot be `{baseline}`: the report has no such row",
                node.declaration.fields.spans["compare",].value,
                about=f"report {name}",
                notes=[f"its rows are {', '.join(sorted(names))}" if names else "it has no rows"],
            )


def check_report_columns(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A report takes columns together that it has, which only an override may take out."""
    for name, node in context.graph.reports.items():
        block, spans = node.declaration.block, node.declaration.fields.spans
        if context.project.overrides or block.column in ("metric", "tag"):
            continue
        columns = {_find_coordinate(one.evaluation, block.column) for one in node.nodes}
        for group in find_groups(block, context.project.evals.values()):
            for lacking in sorted({*(group.weights or ())} - columns):
                diagnostics.error(
                    "unknown-word",
                    f"`{group.name}` cannot have `{lacking}`: the report has no such column",
                    (spans.get((group.form, group.name)) or spans[group.form,]).value,
                    about=f"report {name}",
                    notes=[f"its columns are {', '.join(sorted(columns))}" if columns else "it has no columns"],
                )


def check_report_sections(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A section names columns or rows that the report has, which only an override may take out."""
    for name, node in context.graph.reports.items():
        block, spans = node.declaration.block, node.declaration.fields.spans
        if context.project.overrides or {block.column, block.rows} & {"metric", "tag"}:
            continue
        columns, rows = (
            sorted({_find_coordinate(one.evaluation, axis) for one in node.nodes})
            for axis in (block.column, block.rows)
        )
        for title, members in find_sections(block, context.project.evals.values()).items():
            for lacking in sorted({*members} - {*columns, *rows}):
                meant = closest_name(lacking, [*columns, *rows])
                diagnostics.error(
                    "unknown-word",
                    f"the section `{title}` cannot have `{lacking}`: the report has no such column or row",
                    (spans.get(("sections", title)) or spans["sections",]).value,
                    about=f"report {name}",
                    notes=[f"its columns are {', '.join(columns)}; its rows are {', '.join(rows)}"] if rows else [],
                    help=[f"did you mean `{meant}`?"] if meant else [],
                )


def _find_coordinate(cell: Evaluation, axis: str) -> str:
    """The value of a cell on an axis of a report's table, as its results have it."""
    if axis in ("model", "benchmark"):
        return cell.model.name if axis == "model" else cell.benchmark_name
    value = cell.eval if axis == "eval" else cell.seed if axis == "seed" else dict(cell.axes).get(axis, "-")
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_report_formats(context: BuildContext, diagnostics: Diagnostics) -> None:
    """An exporter says in `needs` why it cannot write here; one that signs needs a key."""
    for report in context.reports:
        spans = report.fields.spans
        exporter = context.plugins.get("exporters", report.plugin)
        if getattr(exporter, "signs", False) and not report.block.sign:
            diagnostics.error(
                "missing-key",
                f"report `{report.name}` has no key to sign with",
                report.span,
                help=['make one by `evalmake key new audit`, and add `sign = file("audit.key")`'],
            )
        needs = getattr(exporter, "needs", "")
        if needs:
            place = spans.get(("format",))
            diagnostics.error(
                "not-available",
                f"report `{report.name}`: {needs}",
                place.value if place else report.span,
                help=["write `format = json`; `sign` writes a signature beside the file"],
            )


def check_signing_keys(context: BuildContext, diagnostics: Diagnostics) -> None:
    """Every key that signs a report is a private key, and no job's input; `check_secrets` tells unset secrets."""
    benchmarks = {node.evaluation.benchmark.name: node.evaluation.benchmark for node in context.graph.nodes.values()}
    inputs = {
        file.path: name
        for name, benchmark in benchmarks.items()
        for value in (benchmark.block.files, benchmark.block.dataset)
        if isinstance(value, Files)
        for file in value.files
    }
    for report in context.reports:
        for key in report.block.sign:
            if isinstance(key, Files) and (name := inputs.get(key.files[0].path)):
                diagnostics.error(
                    "secret-place",
                    f"the private key `{key.files[0].name}` is a file of benchmark {name}, whose jobs would read it",
                    find_span_of_key(report, key),
                    about=f"report {report.name}",
                    help=["keep the key outside the benchmark's files"],
                )
            if isinstance(key, SecretRef) and context.secrets.missing_names([key.name]):
                continue
            try:
                find_signer_of_key(key, context.secrets)
            except EvalmakeError as error:
                for problem in error.diagnostics:
                    diagnostics.error(
                        problem.code,
                        problem.message,
                        find_span_of_key(report, key),
                        about=f"report {report.name}",
                        notes=problem.notes,
                        help=problem.help,
                    )
