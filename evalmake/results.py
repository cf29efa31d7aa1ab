"""What is on record to results and verdicts: one way for the end of a build, reports and `show`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalmake.lang.diagnostic import Diagnostic, Severity, problem
from evalmake.planner.graph import Node
from evalmake.planner.results import GateResult, Result, ResultSet, judge_gate
from evalmake.planner.staleness import Head
from evalmake.project.axes import Gate
from evalmake.project.expand import Evaluation


@dataclass(frozen=True, slots=True)
class Verdict:
    """A requirement judged, with where it stands."""

    gate: Gate
    eval: str
    result: GateResult

    @property
    def diagnostic(self) -> Diagnostic:
        """What to tell when it is not met, or cannot be judged."""
        about = f"eval {self.eval}" + (f", {self.gate.when}" if self.gate.when else "")
        unmet = self.result.met is False
        return problem(
            "gate-not-met" if unmet else "gate-unjudged", f"{self.result.address}: {self.result.message}",
            self.gate.span, "not met" if unmet else "", about=about, severity=Severity.GATE,
            notes=[self.result.detail] if unmet else [],
        )  # fmt: skip


def gates_of(
    cells: Iterable[Evaluation], heads: Mapping[str, Head | None], confidence: float | None
) -> list[Verdict]:
    """Every requirement judged over the seeds of its cell, for cells whose seeds all have results."""
    groups: dict[tuple[Gate, str], list[Evaluation]] = {}
    for cell in cells:
        for gate in cell.gates:
            groups.setdefault((gate, address(cell)), []).append(cell)
    verdicts = []
    for (gate, name), members in groups.items():
        known = {c.name: heads.get(c.name) for c in members}
        if any(head is None or head.success is None for head in known.values()):
            continue
        scores = {c.seed: head.scores for c in members if (head := known[c.name]) is not None}
        wanted = members[0].variant.block.confidence or confidence
        result = judge_gate(name, gate.metric, gate.op, gate.bound, scores, wanted)
        verdicts.append(Verdict(gate, members[0].eval, result))
    return verdicts


def address(cell: Evaluation) -> str:
    """A cell's path without its seed."""
    return "/".join([cell.eval, *(str(v) for key, v in cell.axes if key != "seed")])


def result_set(
    title: str, nodes: Sequence[Node], heads: Mapping[str, Head | None], ran: frozenset[str], plan: str,
    gates: Sequence[GateResult] = (), rows: str = "model", column: str = "benchmark", confidence: float | None = None,
) -> ResultSet:  # fmt: skip
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
                cell.name, cell.eval, cell.axes, cell.model.name, cell.benchmark.name, cell.seed, head.metric,
                head.scores, head.action, head.success, head.attempts, cell.name not in ran, head.started,
                head.seconds, {k: int(v) for k, v in head.usage.items()},
            )
        )  # fmt: skip
    return ResultSet(
        title, tuple(results), tuple(gates), tuple(missing), plan, rows, column, confidence or 0.95
    )
