"""Compares samples with the data in the evidence: which records had to be asked, in which words, with which targets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import SignedStatement
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import ProvesSamples, SampleContradiction
from evalmake.project.named_files import list_input_files
from evalmake.run.job_builder import JobBuilder
from evalmake.store.acceptance import ACCEPTED_FROM
from evalmake.workspace import Workspace

_SHOWN = 10
"""Contradictions of one evaluation that are told."""


def check_data(
    workspace: Workspace,
    nodes: Mapping[str, Node],
    build: SignedStatement,
    evaluations: Sequence[ProvedEvaluation],
    rows: Mapping[str, bytes],
    findings: Findings,
) -> None:
    """Compare the samples of each harness that knows them by its data. `nodes` are those of the plan by name."""
    if build.predicate.get("redacted"):
        findings.leave_out("data", "without the data, nobody can tell that all of them were asked")
        return
    if missing := sorted({str(name) for node in nodes.values() for name in _list_missing(node)}):
        said = f"{missing[0]} is not in the evidence, and nothing is said to be left out"
        findings.skip("data", f"{count(len(missing), 'data file')} cannot be compared: {said}", *missing[1:])
    wrong: list[str] = []
    unread: list[str] = []
    others: set[str] = set()
    compared = 0
    for one in evaluations:
        node = nodes.get(one.signed.name)
        if node is None or one.counting is None or ACCEPTED_FROM in one.counting.facts or any(_list_missing(node)):
            continue
        harness = workspace.plugins.get("harnesses", node.evaluation.benchmark.block.harness)()
        if not isinstance(harness, ProvesSamples):
            others.add(str(node.evaluation.benchmark.block.harness))
        elif one.signed.name in rows:
            try:
                wrong += _compare(harness, workspace, node, rows[one.signed.name])
                compared += 1
            except (EvalmakeError, ValueError, OSError) as error:
                unread.append(f"{node.name}: {_explain(error)}")
    if unread:
        findings.skip("data", "the data of some evaluations cannot be read here", *unread)
    if compared:
        findings.judge("data", wrong, f"{count(compared, 'evaluation')} asked what the data and the limit ask for")
    if others:
        findings.leave_out("data", f"which samples there must be, {' and '.join(sorted(others))} alone can tell")


def _compare(harness: ProvesSamples, workspace: Workspace, node: Node, data: bytes) -> list[str]:
    model = JobBuilder(workspace.project, workspace.plugins, workspace.root).model_name(node.evaluation.model)
    rows = [row for row in map(json.loads, data.splitlines()) if isinstance(row, dict)]
    found = [_describe(one) for one in harness.contradict_data(node.evaluation, model, rows)]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [f"{node.name}: {text}" for text in [*found[:_SHOWN], *more]]


def _describe(one: SampleContradiction) -> str:
    where = f"sample {one.id}: " if one.id else ""
    return f"{where}{one.what}: {one.recorded} in the evidence, and {one.expected} by the data"


def _list_missing(node: Node) -> Iterator[str]:
    """The data files of an evaluation that are not in the evidence."""
    return (file.name for file in list_input_files(node.evaluation.benchmark) if not file.path.is_file())


def _explain(error: Exception) -> str:
    return error.diagnostics[0].message if isinstance(error, EvalmakeError) else str(error)
