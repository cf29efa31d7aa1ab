"""The requirements of evals, judged over the results on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from evalmake.language.diagnostic import Diagnostic, Severity, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.planner.staleness import ActionHistory, find_lack, find_valid_records
from evalmake.project.axes import Gate
from evalmake.project.matrix import Evaluation
from evalmake.results import find_headline, make_item_reader
from evalmake.scoring.gates import GateResult, Requirement, judge_gate
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import Item
from evalmake.scoring.sample_counts import asks_all_once
from evalmake.scoring.seed_average import Run
from evalmake.store.store import Store
from evalmake.workspace import Workspace

Histories = Mapping[str, ActionHistory | None]
"""A cell's name -> what is on record of it."""
ItemReader = Callable[[str, int], Sequence[Item] | None]
"""From an action and the number of an attempt to its items."""


@dataclass(frozen=True, slots=True)
class JudgedGate:
    """A requirement with its result."""

    gate: Gate
    eval: str
    result: GateResult
    pending: bool = False  # whether a result is lacking, so that the gate may be judged later

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
    others = find_other_seeds(workspace, nodes)
    known = {**histories, **find_valid_records(others, store)}
    cells, other_cells = [n.evaluation for n in nodes], [n.evaluation for n in others]
    read = make_item_reader(workspace.store_folder)
    lacks = {node.name: find_lack(node.demands, store.history(node.action.digest)) for node in nodes}
    return judge_cells(cells, known, workspace.project.settings.confidence, read, other_cells, lacks)


def judge_cells(
    cells: Iterable[Evaluation],
    histories: Histories,
    confidence: float | None,
    read_items: ItemReader,
    others: Iterable[Evaluation] = (),
    lacks: Mapping[str, str] | None = None,
) -> list[JudgedGate]:
    """Every requirement judged over the seeds of its cell; not judged if one of those in `cells` has no result.

    `others` are more seeds of the same cells. Their results count too; if some have none, the message
    gives the number of seeds that were judged. `lacks` says, by name, why a cell has no result.
    """
    groups, more = _group_by_gate(cells), _group_by_gate(others)
    judged = []
    for (gate, address), members in groups.items():
        asked = Requirement(
            gate.metric,
            gate.op,
            gate.bound,
            members[0].variant.block.confidence or confidence,
            gate.is_share,
            _find_kind(gate.metric, members, histories),
        )
        runs = _runs_by_seed(members, histories, read_items)
        lacking = [cell for cell in members if cell.seed not in runs]
        if lacking:
            result = replace(judge_gate(address, asked, {}), message=_describe_lacking(lacking, lacks or {}))
            judged.append(JudgedGate(gate, members[0].eval, result, pending=True))
            continue
        siblings = more.get((gate, address), [])
        runs |= _runs_by_seed(siblings, histories, read_items)
        result = judge_gate(address, asked, runs)
        total = len(members) + len(siblings)
        if len(runs) < total:
            result = replace(result, message=f"{result.message} ({len(runs)} of {total} seeds)")
        judged.append(JudgedGate(gate, members[0].eval, result))
    return judged


def _find_kind(metric: str, cells: Sequence[Evaluation], histories: Histories) -> MetricKind:
    """Scale and direction of a metric, which a benchmark states of its headline."""
    block = cells[0].benchmark.block
    known = (histories.get(cell.name) for cell in cells)
    headlines = {find_headline(cell, found) for cell, found in zip(cells, known, strict=True) if found}
    return MetricKind(block.scale, block.better) if metric in headlines else UNKNOWN_KIND


def _describe_lacking(cells: Sequence[Evaluation], lacks: Mapping[str, str]) -> str:
    """Why a gate is not judged whose cell has no result: the reason of the first seed, and how many lack one."""
    reason = lacks.get(cells[0].name, "")
    more = f", and {len(cells) - 1} more seed{'s' * (len(cells) > 2)} have none" if len(cells) > 1 else ""
    return f"not judged: {cells[0].name} has no result{f' ({reason})' if reason else ''}{more}"


def _group_by_gate(cells: Iterable[Evaluation]) -> dict[tuple[Gate, str], list[Evaluation]]:
    groups: dict[tuple[Gate, str], list[Evaluation]] = {}
    for cell in cells:
        for gate in cell.gates:
            groups.setdefault((gate, cell.address), []).append(cell)
    return groups


def _runs_by_seed(cells: Iterable[Evaluation], histories: Histories, read_items: ItemReader) -> dict[int, Run]:
    """The runs of the cells that have a result."""
    known = ((cell, histories.get(cell.name)) for cell in cells)
    return {
        cell.seed: Run(
            history.scores,
            partial(read_items, history.action, history.success),
            cell.benchmark.block.harness,
            asks_all_once(history.usage),
        )
        for cell, history in known
        if history and history.success is not None
    }


def find_other_seeds(workspace: Workspace, nodes: Sequence[Node]) -> list[Node]:
    """Return the cells that differ only in their seed from those of `nodes` that have requirements."""
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
    wanted = {cell.address for cell in gated}
    builder = workspace.graph_builder()
    return [builder.node(cell) for cell in cells if cell.address in wanted]
