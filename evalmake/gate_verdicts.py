"""The requirements of evals, judged over the results on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evalmake.language.diagnostic import Diagnostic, Severity, make_diagnostic
from evalmake.planner.graph import GraphBuilder, Node
from evalmake.planner.staleness import ActionHistory, find_valid_records
from evalmake.project.axes import Gate
from evalmake.project.matrix import Evaluation
from evalmake.scoring.gates import GateResult, judge_gate
from evalmake.scoring.score import Score
from evalmake.store.store import Store
from evalmake.workspace import Workspace

Histories = Mapping[str, ActionHistory | None]
"""A cell's name -> what is on record of it."""


@dataclass(frozen=True, slots=True)
class JudgedGate:
    """A requirement with its result."""

    gate: Gate
    eval: str
    result: GateResult

    @property
    def diagnostic(self) -> Diagnostic:
        """The error to show if it is not met, or cannot be judged."""
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


def judge_gates(workspace: Workspace, nodes: Sequence[Node], histories: Histories, store: Store) -> list[JudgedGate]:
    """The requirements of `nodes`, judged over all seeds of their cells, chosen for this build or not."""
    others = _other_seeds(workspace, nodes)
    known = {**histories, **find_valid_records(others, store)}
    cells, other_cells = [n.evaluation for n in nodes], [n.evaluation for n in others]
    return judge_cells(cells, known, workspace.project.settings.confidence, other_cells)


def judge_cells(
    cells: Iterable[Evaluation],
    histories: Histories,
    confidence: float | None,
    others: Iterable[Evaluation] = (),
) -> list[JudgedGate]:
    """Every requirement judged over the seeds of its cell, if those in `cells` all have results.

    `others` are more seeds of the same cells. Their results count too; if some have none, the message
    gives the number of seeds that were judged.
    """
    groups, more = _group_by_gate(cells), _group_by_gate(others)
    judged = []
    for (gate, address), members in groups.items():
        scores = _scores_by_seed(members, histories)
        if len(scores) < len(members):
            continue
        siblings = more.get((gate, address), [])
        scores |= _scores_by_seed(siblings, histories)
        wanted = members[0].variant.block.confidence or confidence
        result = judge_gate(address, gate.metric, gate.op, gate.bound, scores, wanted)
        total = len(members) + len(siblings)
        if len(scores) < total:
            result = replace(result, message=f"{result.message} ({len(scores)} of {total} seeds)")
        judged.append(JudgedGate(gate, members[0].eval, result))
    return judged


def address_without_seed(cell: Evaluation) -> str:
    """A cell's path without its seed."""
    return "/".join([cell.eval, *(str(v) for key, v in cell.axes if key != "seed")])


def _group_by_gate(cells: Iterable[Evaluation]) -> dict[tuple[Gate, str], list[Evaluation]]:
    groups: dict[tuple[Gate, str], list[Evaluation]] = {}
    for cell in cells:
        for gate in cell.gates:
            groups.setdefault((gate, address_without_seed(cell)), []).append(cell)
    return groups


def _scores_by_seed(cells: Iterable[Evaluation], histories: Histories) -> dict[int, tuple[Score, ...]]:
    """The scores of the cells that have a result."""
    known = ((cell.seed, histories.get(cell.name)) for cell in cells)
    return {seed: history.scores for seed, history in known if history and history.success is not None}


def _other_seeds(workspace: Workspace, nodes: Sequence[Node]) -> list[Node]:
    """The cells that differ only in their seed from those of `nodes` that have requirements."""
    names = {node.name for node in nodes}
    gated = [node.evaluation for node in nodes if node.evaluation.gates]
    cells = [
        cell
        for name in dict.fromkeys(cell.eval for cell in gated)
        for cell in workspace.cells[name]
        if cell.gates and cell.name not in names
    ]
    if not cells:
        return []
    wanted = {address_without_seed(cell) for cell in gated}
    builder = GraphBuilder(workspace.project, workspace.plugins, workspace.environments().resolved_versions)
    return [builder.node(cell) for cell in cells if address_without_seed(cell) in wanted]
