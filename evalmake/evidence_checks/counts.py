"""Counts again what records say beside their scores: errors and numbers of samples, usage, and the models that replied.

Samples and the harness's own files give the scores, the gateway's files the usage and the names in replies. What
nothing in the evidence gives is listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake import __version__
from evalmake.evidence import layout
from evalmake.evidence_checks.findings import Findings, count
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.provenance import read_provenance
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.planner.action import ActionResult
from evalmake.planner.graph import Node
from evalmake.planner.stored_replies import REPLIES_OF
from evalmake.plugin_api.harness import Outcome, ProvesSamples
from evalmake.provenance.attempt import ATTEMPT
from evalmake.provenance.build import BUILD
from evalmake.result_verification import read_again
from evalmake.run.gateways.sessions import USAGE_FOLDERS, read_usage
from evalmake.run.job_outcome import add_sample_counts, add_usage
from evalmake.scoring.cost import COST, GPU_SECONDS_ON
from evalmake.scoring.numbers import is_nearly_equal
from evalmake.scoring.result import SECONDS_ON
from evalmake.scoring.sample_counts import SAME_ID, SAMPLES, WEIGHTED, SampleCounts
from evalmake.scoring.score import Score
from evalmake.store.acceptance import ACCEPTED_FROM
from evalmake.store.origin import BENCHMARK, EVALFILE, HOST, MODEL, USER
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_OWN_FACTS = (MODEL, BENCHMARK, USER, HOST, EVALFILE, REPLIES_OF, "earlier_metric")
_NUMBERS = ("value", "stderr", "low", "high", "reported")
_COUNTS = ("scored", "unscored", "clusters")
_OF_SAMPLES = ("tokens_in", "tokens_out", "errors", "truncated")
_OF_MACHINES = (SECONDS_ON, GPU_SECONDS_ON, COST)
"""What no output tells: how long machines were had, and what all cost."""
_WITHOUT_TEXTS = ("samples", SAME_ID, WEIGHTED)
"""Counts of samples that need no text of them."""


@dataclass(slots=True)
class _Found:
    """What was counted again: what differs, by whether this evalmake made the record, and what nothing gives."""

    wrong: list[str] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    """Of records that another version of evalmake made, which may count otherwise."""
    unknown: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    counted: int = 0


def check_counts(
    folder: EvidenceFolder,
    workspace: Workspace,
    nodes: Mapping[str, Node],
    evaluations: Sequence[ProvedEvaluation],
    rows: Mapping[str, bytes],
    store: Store,
    findings: Findings,
) -> None:
    """Count again for each evaluation that has a result and was not accepted. `nodes` are those of the plan by name."""
    found = _Found()
    for one in evaluations:
        record, node = one.counting, nodes.get(one.signed.name)
        if record is None or node is None or ACCEPTED_FROM in record.facts:
            continue
        wrong = [
            f"{one.signed.name}: {text}" for text in _count_again(folder, workspace, node, one, rows, store, found)
        ]
        version = _find_version(folder, one, record)
        found.counted += 1
        if version in ("", __version__):
            found.wrong += wrong
        elif wrong:
            found.otherwise += wrong
            found.versions.add(version)
    if found.otherwise:
        versions = " and ".join(sorted(found.versions))
        message = f"evalmake {versions} made the records, and {__version__} counts otherwise"
        findings.skip("counts", message, *found.otherwise, f"install evalmake {versions} to compare them")
    if not found.otherwise or found.wrong:
        message = f"numbers of samples, errors, usage and models of {count(found.counted, 'evaluation')} counted again"
        findings.judge("counts", found.wrong, message)
    if found.unknown:
        findings.leave_out("counts", f"nothing in the evidence gives {', '.join(sorted(found.unknown))}")


def _count_again(
    folder: EvidenceFolder,
    workspace: Workspace,
    node: Node,
    one: ProvedEvaluation,
    rows: Mapping[str, bytes],
    store: Store,
    found: _Found,
) -> Iterator[str]:
    record = one.counting
    assert record is not None
    harness = workspace.plugins.get("harnesses", node.evaluation.benchmark.block.harness)()
    data = rows.get(one.signed.name)
    is_whole = not one.signed.statement.predicate["runDetails"]["byproducts"]
    cell = node.evaluation

    def finish(outcome: Outcome, place: Path) -> Outcome:
        usages = {role: read_usage(place, role) for role in USAGE_FOLDERS}
        # Reading its files again, a harness writes samples again, perhaps without what it knew of requests.
        samples = folder.path / layout.output_path(one.signed.folder, SAMPLES)
        return add_sample_counts(add_usage(outcome, usages, cell), samples)

    outcome = read_again(harness, node, record, store, finish) if is_whole else None
    if outcome is not None and outcome.error:
        return  # which the check of the outputs says
    if data is not None and isinstance(harness, ProvesSamples):
        samples = _parse(data)
        try:
            recounted = harness.recount(node.evaluation, samples, record.metric)
        except ValueError:
            found.unknown.add("how many samples can have a metric")
        else:
            yield from _compare_scores(record, recounted.scores, "its samples")
            if outcome is not None and not _is_usage_of_samples(outcome, recounted, folder, one):
                yield "its harness's own file counts other tokens or errors than its samples"
    elif outcome is not None:
        yield from _compare_scores(record, outcome.scores, "its harness's own files")
    if outcome is None:
        counts = SampleCounts.of((data or b"").split(b"\n"), record.metric).counts
        known = {name: float(counts[name]) for name in _WITHOUT_TEXTS if data is not None and counts[name]}
        outcome = add_usage(Outcome(metric=record.metric, usage=known), _read_usages(folder, one), cell)
    elif outcome.metric != record.metric:
        yield f"its headline is {record.metric} on record, and {outcome.metric} by its outputs"
    yield from _compare_usage(record, outcome, is_whole, found)
    yield from _compare_facts(folder, one, record, outcome, is_whole)
    yield from _contradict_requests(folder, one)


def _compare_scores(record: ActionResult, scores: Sequence[Score], by: str) -> Iterator[str]:
    """What the scores on record say otherwise, but for rounding."""
    again = {score.metric: score for score in scores}
    for score in record.scores:
        other = again.get(score.metric)
        if other is None:
            yield f"{score.metric} is on record, and not by {by}"
            continue
        for name in (*_NUMBERS, *_COUNTS):
            mine, theirs = getattr(score, name), getattr(other, name)
            if not _is_same(mine, theirs):
                yield f"{name} of {score.metric} is {_show(mine)} on record, and {_show(theirs)} by {by}"
    if more := again.keys() - {score.metric for score in record.scores}:
        yield f"{min(more)} is not on record, and is by {by}"


def _is_usage_of_samples(outcome: Outcome, recounted: Outcome, folder: EvidenceFolder, one: ProvedEvaluation) -> bool:
    """Whether the harness's own counts are those of its samples; those that a gateway counts replace some."""
    by_gateway = {name for counted in _read_usages(folder, one).values() for name in counted}
    names = [name for name in _OF_SAMPLES if name in outcome.usage and name not in by_gateway]
    return all(outcome.usage[name] == recounted.usage.get(name) for name in names)


def _compare_usage(record: ActionResult, outcome: Outcome, is_whole: bool, found: _Found) -> Iterator[str]:
    for name in sorted({*record.usage, *outcome.usage}):
        mine, theirs = record.usage.get(name), outcome.usage.get(name)
        if theirs is None and (name.startswith(_OF_MACHINES) or not is_whole):
            found.unknown.add(f"`{name}`" if name.startswith(_OF_MACHINES) else "counts of texts that are left out")
        elif not _is_same(mine, theirs):
            yield f"its usage has {name} = {_show(mine)} on record, and {_show(theirs)} by its outputs"


def _compare_facts(
    folder: EvidenceFolder, one: ProvedEvaluation, record: ActionResult, outcome: Outcome, is_whole: bool
) -> Iterator[str]:
    """Facts are of replies and of samples, of executors, and of who ran it; all but the last can be found again."""
    executors = read_provenance(folder, one, record, ATTEMPT).get("facts") or {}
    for name in sorted({*record.facts, *outcome.facts}):
        mine, theirs = record.facts.get(name), outcome.facts.get(name, executors.get(name))
        if name in executors and mine == executors[name]:
            continue
        if mine != theirs and (is_whole or theirs is not None) and name not in _OWN_FACTS:
            yield f"{name} is {_show(mine)} on record, and {_show(theirs)} by its outputs"


def _contradict_requests(folder: EvidenceFolder, one: ProvedEvaluation) -> Iterator[str]:
    """What the gateway's sums say otherwise than its list of requests."""
    for role, counted in _read_usages(folder, one).items():
        path = layout.output_path(one.signed.folder, f"{USAGE_FOLDERS[role]}/requests.jsonl")
        if not folder.has(path):
            continue
        rows = _parse(folder.read(path))
        sums: dict[str, float] = {"requests": len(rows)}
        for name in ("tokens_in", "tokens_out"):
            sums[name] = sum(row[name] for row in rows if type(row.get(name)) is int)
        for name, total in sums.items():
            if counted.get(name, 0) != total:
                yield f"the gateway of its {role} counts {name} = {counted.get(name, 0)}, and lists {total}"


def _read_usages(folder: EvidenceFolder, one: ProvedEvaluation) -> dict[str, dict[str, Any]]:
    """What the gateways of an evaluation counted, by role."""
    found = {}
    for role, place in USAGE_FOLDERS.items():
        path = layout.output_path(one.signed.folder, f"{place}/usage.json")
        counted = folder.read_json(path) if folder.has(path) else {}
        found[role] = counted if isinstance(counted, dict) else {}
    return found


def _find_version(folder: EvidenceFolder, one: ProvedEvaluation, record: ActionResult) -> str:
    """The evalmake that says to have made a record; empty where it says nothing."""
    try:
        return str(read_provenance(folder, one, record, BUILD).get("evalmake") or "")
    except BadEvidence:
        return ""


def _parse(data: bytes) -> list[dict[str, Any]]:
    """The objects among lines of JSON."""
    rows = []
    for line in data.split(b"\n"):
        with suppress(ValueError, RecursionError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict)]


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return is_nearly_equal(one, other)
    return one == other


def _show(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str("none" if value is None else value)
    return text if len(text) <= 60 else f"{text[:59]}…"
