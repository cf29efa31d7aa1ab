"""What is on record to results and verdicts: one way for the end of a build, reports and `show`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from evalmake.language.diagnostic import Diagnostic, Severity, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.planner.staleness import ActionHistory
from evalmake.project.axes import Gate
from evalmake.project.matrix import Evaluation
from evalmake.scoring.result_set import GateResult, Item, Result, ResultSet, Score, judge_gate
from evalmake.store.store import Store

SAMPLES = "samples.jsonl"


@dataclass(frozen=True, slots=True)
class JudgedGate:
    """A requirement judged, with where it stands."""

    gate: Gate
    eval: str
    result: GateResult

    @property
    def diagnostic(self) -> Diagnostic:
        """What to tell when it is not met, or cannot be judged."""
        about = f"eval {self.eval}" + (f", {self.gate.when}" if self.gate.when else "")
        unmet = self.result.met is False
        return make_diagnostic(
            "gate-not-met" if unmet else "gate-unjudged",
            f"{self.result.address}: {self.result.message}",
            self.gate.span,
            "not met" if unmet else "",
            about=about,
            severity=Severity.GATE,
            notes=[self.result.detail] if unmet else [],
        )


def judge_gates(
    cells: Iterable[Evaluation],
    heads: Mapping[str, ActionHistory | None],
    confidence: float | None,
    others: Iterable[Evaluation] = (),
) -> list[JudgedGate]:
    """Every requirement judged over the seeds of its cell, if those in `cells` all have results.

    `others` are further seeds, which nobody asked for now: what results they have count as well,
    and where they have none, the message says over how many seeds was judged.
    """
    groups: dict[tuple[Gate, str], list[Evaluation]] = {}
    for cell in cells:
        for gate in cell.gates:
            groups.setdefault((gate, address_without_seed(cell)), []).append(cell)
    further: dict[tuple[Gate, str], list[Evaluation]] = {}
    for cell in others:
        for gate in cell.gates:
            further.setdefault((gate, address_without_seed(cell)), []).append(cell)
    verdicts = []
    for (gate, name), members in groups.items():
        scores = _scores(members, heads)
        if len(scores) < len(members):
            continue
        siblings = further.get((gate, name), [])
        scores |= _scores(siblings, heads)
        wanted = members[0].variant.block.confidence or confidence
        result = judge_gate(name, gate.metric, gate.op, gate.bound, scores, wanted)
        total = len(members) + len(siblings)
        if len(scores) < total:
            said = f"{result.message} ({len(scores)} of {total} seeds)"
            result = replace(result, message=said)
        verdicts.append(JudgedGate(gate, members[0].eval, result))
    return verdicts


def _scores(cells: Iterable[Evaluation], heads: Mapping[str, ActionHistory | None]) -> dict[int, tuple[Score, ...]]:
    """The scores of the cells that have a result, by seed."""
    known = ((cell.seed, heads.get(cell.name)) for cell in cells)
    return {seed: head.scores for seed, head in known if head and head.success is not None}


def address_without_seed(cell: Evaluation) -> str:
    """A cell's path without its seed."""
    return "/".join([cell.eval, *(str(v) for key, v in cell.axes if key != "seed")])


def collect_results(
    title: str,
    nodes: Sequence[Node],
    heads: Mapping[str, ActionHistory | None],
    ran: frozenset[str],
    plan: str,
    gates: Sequence[GateResult] = (),
    rows: str = "model",
    column: str = "benchmark",
    confidence: float | None = None,
    compare: str = "",
) -> ResultSet:
    """The results of `nodes` that are on record."""
    results = []
    missing = []
    for node in nodes:
        head = heads.get(node.name)
        if head is None or head.success is None:
            missing.append(node.name)
            continue
        cell = node.evaluation
        results.append(
            Result(
                cell.name,
                cell.eval,
                cell.axes,
                cell.model.name,
                cell.benchmark.name,
                cell.seed,
                head.metric,
                head.scores,
                head.action,
                head.success,
                head.attempts,
                cell.name not in ran,
                head.started,
                head.seconds,
                dict(head.usage),
            )
        )
    return ResultSet(
        title, tuple(results), tuple(gates), tuple(missing), plan, rows, column, confidence or 0.95, compare
    )


def make_item_reader(store: Store) -> Callable[[Result], tuple[Item, ...] | None]:
    """What reads the items of a result, each only once; None where its harness left none."""

    @cache
    def read(action: str, attempt: int) -> tuple[Item, ...] | None:
        record = store.attempt(action, attempt)
        names = {output.name: output.sha256 for output in record.outputs} if record else {}
        data = store.blob(names[SAMPLES]) if SAMPLES in names else None
        if data is None:
            return None
        return tuple(item for line in data.split(b"\n") if (item := _item(line)) is not None)

    return lambda result: read(result.action, result.attempt)


def _item(line: bytes) -> Item | None:
    """The item of one line; None where it has no id, or no hash of its content."""
    try:
        row = json.loads(line)
        scores = {str(k): float(v) for k, v in (row.get("scores") or {}).items() if v is not None}
        cluster = row.get("cluster")
        if not row["item"]:
            return None
        return Item(str(row["id"]), str(row["item"]), scores, None if cluster is None else str(cluster))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
