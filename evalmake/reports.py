"""Writes reports."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_error
from evalmake.language.file_hashes import hash_file
from evalmake.language.write_errors import advise_on_write_error
from evalmake.planner.graph import ReportNode
from evalmake.planner.plan import Plan
from evalmake.project.key_types import Block
from evalmake.report_content import FILE, SIGNATURE, ReportContent, collect_report_results, hash_written
from evalmake.results import make_lack_reader
from evalmake.run.report_signatures import find_signature_file, write_signature_file
from evalmake.run.secrets import Secrets
from evalmake.run.signers import find_signers
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.workspace import Workspace


def write_report(
    workspace: Workspace, node: ReportNode, store: Store, plan: str, ran: frozenset[str], secrets: Secrets
) -> Path | None:
    """Write a report and its signatures, record its content, and return its path; EvalmakeError if that cannot be.

    A report that lacks some of its results is written, and stays stale. One without any result is written only in place
    of an earlier one, whose numbers do not count any more, and where its exporter tells failures.
    """
    content = ReportContent.of(workspace, node, store)
    results = collect_report_results(workspace, content, store, plan, ran)
    report = node.declaration
    path = workspace.report_path(report)
    tells_failures = getattr(workspace.plugins.get("exporters", report.plugin), "tells_failures", False)
    if not results.results and not os.path.exists(path) and not tells_failures:
        return None
    signature = find_signature_file(report, path, workspace.plugins)
    signers = find_signers(report, secrets) if signature else []
    try:
        _export(workspace, content, results, store, path, secrets)
        if signature:
            write_signature_file(signature, path, signers, plan)
    except OSError as error:
        span = report.fields.spans["path",].value
        message = f"{report.block.path} cannot be written: {error.strerror}"
        raise make_error("report-failed", message, span, help=advise_on_write_error(error.errno)) from None
    if not results.missing:
        written = {FILE: hash_written(path), **({SIGNATURE: hash_file(signature)} if signature else {})}
        store.record_report(workspace.report_key(report), {**content.identity(), **written})
    return path


def _export(
    workspace: Workspace, content: ReportContent, results: ResultSet, store: Store, path: Path, secrets: Secrets
) -> None:
    """Write a report by its exporter: a file of results, a page, or a folder of evidence."""
    from evalmake.evidence.material import ExportsEvidence
    from evalmake.evidence_material import collect_material, plan_of_report, redact_errors
    from evalmake.page_content.collection import collect_page
    from evalmake.web.material import ExportsPage

    report = content.node.declaration
    exporter = workspace.plugins.get("exporters", report.plugin)()
    if not isinstance(exporter, ExportsEvidence):
        results = replace(results, read_lack=make_lack_reader(content.node.nodes, store, secrets.redact))
        if isinstance(exporter, ExportsPage):
            page = collect_page(workspace, content.node.nodes, content.histories, results, store, secrets.redact)
            exporter.export_page(page, report.settings or Block(), path)
        else:
            exporter.export(results, path)
        return
    plan = plan_of_report(workspace, report.name)[1]
    with_data = not getattr(report.settings, "redact", ())
    if not with_data:  # a gate without a result says why
        content = ReportContent.of(workspace, content.node, store, redact_errors(store).hide)
    results = collect_report_results(workspace, content, store, plan, frozenset())
    signers = find_signers(report, secrets)
    material = collect_material(workspace, content.node, results, store, signers, with_data)
    exporter.export_evidence(material, report.settings or Block(), path)


def write_reports(
    workspace: Workspace, plan: Plan, store: Store, ran: frozenset[str], secrets: Secrets
) -> tuple[list[Path], list[Diagnostic]]:
    """Write the reports that the plan says. Return the files, and the errors of reports that cannot be written."""
    written: list[Path] = []
    problems: list[Diagnostic] = []
    for name, decision in plan.reports.items():
        if not decision.must_write:
            continue
        try:
            path = write_report(workspace, plan.graph.reports[name], store, plan.digest, ran, secrets)
        except EvalmakeError as error:
            problems += error.diagnostics
        else:
            written += [path] if path else []
    return written, problems
