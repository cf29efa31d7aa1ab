"""Checks reports: their paths, the row they compare with, and that this installation can write them."""

from __future__ import annotations

import os
from pathlib import Path

from evalmake.language.diagnostic import Diagnostics
from evalmake.preflight.context import BuildContext, GraphContext
from evalmake.project.declarations import Declaration

_SIGN = "`sign` needs signatures, which this version of evalmake cannot make"
_SIGN_AFTERWARDS = "and sign the file when it is written, as by `cosign sign-blob` or `gpg --detach-sign`"


def check_report_paths(context: GraphContext, diagnostics: Diagnostics) -> None:
    """No report overwrites an input, results or another report: one that is not chosen counts, too."""
    project = context.project
    evalfiles = {file.path for file in project.files.files} | {project.path.absolute().with_suffix(".lock")}
    inputs = {Path(path).absolute() for path in project.external.hashes.seen} | evalfiles
    own = [os.path.realpath(project.folder / name) for name in (".evalmake", project.settings.store or ".evalmake")]
    first: dict[Path, Declaration] = {}
    for report in project.reports.values():
        path = Path(os.path.abspath(project.folder / str(report.block.path)))
        other = first.setdefault(path, report)
        if path in inputs:
            diagnostics.error(
                "same-path",
                f"{report.block.path} is an input",
                report.fields.spans["path",].value,
                "the report would overwrite it",
                about=f"report {report.name}",
                help=["give the report another path"],
            )
        elif any(Path(os.path.realpath(path)).is_relative_to(folder) for folder in own):
            diagnostics.error(
                "same-path",
                f"{report.block.path} lies where evalmake keeps results",
                report.fields.spans["path",].value,
                "the report could overwrite them",
                about=f"report {report.name}",
                help=["give the report a path outside `.evalmake` and the store"],
            )
        elif other is not report:
            diagnostics.error(
                "same-path",
                f"two reports write {report.block.path}",
                report.fields.spans["path",].value,
                "written again here",
                also=[(other.fields.spans["path",].value, "first written here")],
                about=f"report {report.name}",
            )


def check_report_baselines(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A report compares with one of its own rows, which only an override may take out."""
    for name, node in context.graph.reports.items():
        block = node.declaration.block
        baseline, rows = block.compare, block.rows
        if not baseline or context.project.overrides:
            continue
        cells = [one.evaluation for one in node.nodes]
        names = {cell.eval if rows == "eval" else getattr(cell, rows).name for cell in cells}
        if baseline not in names:
            diagnostics.error(
                "unknown-word",
                f"`compare` cannot be `{baseline}`: the report has no such row",
                node.declaration.fields.spans["compare",].value,
                about=f"report {name}",
                notes=[f"its rows are {', '.join(sorted(names))}" if names else "it has no rows"],
            )


def check_report_formats(context: BuildContext, diagnostics: Diagnostics) -> None:
    """An exporter says in `needs` why it cannot write here; nothing can sign."""
    for report in context.reports:
        spans = report.fields.spans
        needs = getattr(context.plugins.get("exporters", report.plugin), "needs", "")
        if needs:
            place = spans.get(("format",))
            diagnostics.error(
                "not-available",
                f"report `{report.name}`: {needs}",
                place.value if place else report.span,
                help=[f"write `format = json`, {_SIGN_AFTERWARDS}"],
            )
        if report.block.sign:
            diagnostics.error(
                "not-available",
                f"report `{report.name}`: {_SIGN}",
                spans["sign",].value,
                help=[f"leave `sign` out, {_SIGN_AFTERWARDS}"],
            )
