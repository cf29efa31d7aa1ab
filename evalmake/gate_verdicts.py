"""The requirements of evals, judged over the results on record."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from evalmake.language.diagnostic import Diagnostic, Severity, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.planner.node_prices import find_prices
from evalmake.planner.staleness import ActionHistory, Histories, find_lack, find_valid_records
from evalmake.project.axes import to_part
from evalmake.project.matrix import Evaluation
from evalmake.project.measure_units import COST
from evalmake.project.requirements import HEADLINE, Gate, Referent
from evalmake.results import find_headline, make_item_reader
from evalmake.scoring.benchmark_gates import judge_benchmark_gate
from evalmake.scoring.cost import Prices
from evalmake.scoring.gates import GateResult, Requirement, judge_gate
from evalmake.scoring.group_average import Column
from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.item import Item
from evalmake.scoring.measured_gates import MeasuredRun, judge_measure
from evalmake.scoring.sample_counts import asks_all_once
from evalmake.scoring.seed_average import Run
from evalmake.scoring.stopping import is_sequential
from evalmake.store.store import Store
from evalmake.workspace import Workspace

if TYPE_CHECKING:
    from evalmake.comparison.gate_references import GateReferences

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
            severity=Severity.GATE if self.result.matters else Severity.WARNING,
            notes=[*([self.result.detail] if unmet else []), *_explain_tier(self.result)],
        )


def _explain_tier(result: GateResult) -> list[str]:
    """What a gate that is not met means for the exit status, if it is not what such a gate means by itself."""
    if result.tier == "supporting":
        return ["it is supporting: where only such gates are not met, the exit status is 3"]
    return [] if result.matters else ["it is advisory: the exit status does not tell of it"]


def judge_gates(
    workspace: Workspace,
    nodes: Sequence[Node],
    histories: Histories,
    store: Store,
    only: Container[str] | None = None,
    hide: Callable[[ActionHistory], ActionHistory] = lambda head: head,
) -> list[JudgedGate]:
    """The requirements of `nodes`, judged over all seeds of their cells, chosen for this build or not.

    They are compared with results of the actions in `only`, if that is given. `hide` takes out what may not be told of
    an error.
    """
    others = find_cells_judged_together(workspace, nodes)
    known = {**histories, **find_valid_records(others, store)}
    cells, other_cells = [n.evaluation for n in nodes], [n.evaluation for n in others]
    read = make_item_reader(workspace.store_folder)
    heads = {node.name: store.history(node.action.digest) for node in nodes}
    lacks = {node.name: find_lack(node.demands, hide(head)) for node in nodes if (head := heads[node.name])}
    references = None
    if any(gate.than for cell in cells for gate in cell.gates):  # few gates compare, and it takes a while to import
        from evalmake.comparison.gate_references import GateReferences

        references = GateReferences(workspace, store, only)
    paid = [node for node in (*nodes, *others) if any(gate.metric == COST for gate in node.evaluation.gates)]
    prices = {node.name: find_prices(workspace.project, node) for node in paid}
    confidence = workspace.project.settings.confidence
    return judge_cells(cells, known, confidence, read, other_cells, lacks, references, prices)


def judge_cells(
    cells: Iterable[Evaluation],
    histories: Histories,
    confidence: float | None,
    read_items: ItemReader,
    others: Iterable[Evaluation] = (),
    lacks: Mapping[str, str] | None = None,
    references: GateReferences | None = None,
    prices: Mapping[str, Prices] | None = None,
) -> list[JudgedGate]:
    """Every requirement judged over the seeds of its cell; not judged if one of those in `cells` has no result.

    `others` are more seeds of the same cells. Their results count too; if some have none, the message
    gives the number of seeds that were judged. `lacks` says, by name, why a cell has no result, and `prices` what it
    pays.
    """
    groups, more = _group_by_gate(cells), _group_by_gate(others)
    judged = []
    for key, members in groups.items():
        gate, siblings = key[0], more.get(key, [])
        address = _name_cells([*members, *siblings]) if gate.is_over_benchmarks else key[1]
        asked = _make_requirement(gate, members[0], confidence)
        results = _Results(histories, read_items, references, prices or {})
        lacking = _find_lacking(gate, members, siblings, histories)
        known = [] if lacking else [cell for cell in (*members, *siblings) if _has_result(cell, histories)]
        result = replace(_judge(address, gate, asked, known, results), tier=gate.tier)
        total = len(members) + len(siblings)
        if lacking:
            result = replace(result, message=_describe_lacking(gate, lacking, lacks or {}))
        elif len(known) < total:
            result = replace(result, message=f"{result.message} ({len(known)} of {total} {_noun(gate)}s)")
        judged.append(JudgedGate(gate, members[0].eval, result, pending=bool(lacking)))
    return judged


@dataclass(frozen=True, slots=True)
class _Results:
    """What is on record of cells, and what reads their items."""

    histories: Histories
    read_items: ItemReader
    references: GateReferences | None = None
    prices: Mapping[str, Prices] = field(default_factory=dict)

    def runs(self, cells: Iterable[Evaluation]) -> dict[int, Run]:
        """The runs of the cells that have a result, by seed."""
        known = ((cell, self.histories.get(cell.name)) for cell in cells)
        return {
            cell.seed: Run(
                history.scores,
                partial(self.read_items, history.action, history.success),
                cell.benchmark.block.harness,
                asks_all_once(history.usage),
                sequential=is_sequential(history.usage),
            )
            for cell, history in known
            if history and history.success is not None
        }

    def measured_runs(self, cells: Iterable[Evaluation]) -> dict[int, MeasuredRun]:
        """The same runs, with what is known of their replies."""
        found = {}
        for cell in cells:
            history = self.histories.get(cell.name)
            if history and history.success is not None:
                read = partial(self.read_items, history.action, history.success)
                found[cell.seed] = MeasuredRun(history.usage, read, self.prices.get(cell.name, Prices()))
        return found

    def headline(self, cells: Sequence[Evaluation]) -> str:
        """The headline metric of cells of one benchmark."""
        known = ((cell, self.histories.get(cell.name)) for cell in cells)
        return next((find_headline(cell, found) for cell, found in known if found), HEADLINE)


def _has_result(cell: Evaluation, histories: Histories) -> bool:
    """Whether a result of a cell counts."""
    history = histories.get(cell.name)
    return history is not None and history.success is not None


def _make_requirement(gate: Gate, cell: Evaluation, confidence: float | None) -> Requirement:
    """What a gate asks of a cell: of its bound with a confidence, or of the whole interval where that decides."""
    rule = cell.variant.stop_rule
    is_decided = rule is not None and bool(cell.variant.block.until) and not gate.is_over_benchmarks and not gate.than
    decided = rule.confidence if rule is not None and is_decided else None
    return Requirement(
        gate.metric,
        gate.op,
        gate.bound,
        None if decided else cell.variant.block.confidence or confidence,
        gate.is_share,
        within=gate.within,
        tolerance=gate.tolerance,
        decided=decided,
    )


def _judge(address: str, gate: Gate, asked: Requirement, cells: Sequence[Evaluation], results: _Results) -> GateResult:
    """Judge a gate over cells that have a result."""
    if gate.unit:
        return judge_measure(address, asked, gate.unit, results.measured_runs(cells))
    if gate.is_over_benchmarks:
        columns = [_make_column(name, some, results) for name, some in _group_by_benchmark(cells).items()]
        return judge_benchmark_gate(address, gate.form, asked, columns)
    if gate.word == HEADLINE and cells:
        asked = replace(asked, metric=results.headline(cells))
    if cells:
        asked = replace(asked, kind=_find_kind(asked.metric, cells, results.histories))
    if gate.than is not None:
        return _judge_relation(address, gate, gate.than, asked, cells, results)
    return judge_gate(address, asked, results.runs(cells))


def _judge_relation(
    address: str, gate: Gate, than: Referent, asked: Requirement, cells: Sequence[Evaluation], results: _Results
) -> GateResult:
    """Judge a gate that compares cells with a model or a baseline."""
    from evalmake.scoring.relative_gates import OtherSide, Relation, judge_relation
    from evalmake.scoring.verdict import Margin

    margin = Margin(gate.bound, gate.is_share)
    relation = Relation(asked.metric, gate.op, margin, str(than), asked.confidence, asked.kind)
    other = results.references.find(than, cells, results.histories) if results.references and cells else OtherSide()
    return judge_relation(address, relation, results.runs(cells), other)


def _make_column(name: str, cells: Sequence[Evaluation], results: _Results) -> Column:
    block = cells[0].benchmark.block
    runs = tuple(run for _, run in sorted(results.runs(cells).items()))
    return Column(name, results.headline(cells), runs, MetricKind(block.scale, block.better), frozenset({name}))


def _group_by_benchmark(cells: Iterable[Evaluation]) -> dict[str, list[Evaluation]]:
    """The cells of each benchmark, in the order of the eval's axis."""
    found: dict[str, list[Evaluation]] = {}
    for cell in cells:
        found.setdefault(cell.benchmark_name, []).append(cell)
    order = {name: place for place, name in enumerate(_list_benchmarks(next(iter(found.values()))[0]))} if found else {}
    return dict(sorted(found.items(), key=lambda pair: order[pair[0]]))


def _list_benchmarks(cell: Evaluation) -> list[str]:
    """The benchmarks of a cell's eval, in order."""
    return next([str(one) for one in axis.values] for axis in cell.variant.eval.axes if axis.key == "benchmark")


def _name_cells(cells: Sequence[Evaluation]) -> str:
    """The path of cells that differ in their benchmark and seed: "grid/m/*", or "grid/m/{a,b}" if not of all."""
    named = {cell.benchmark_name for cell in cells}
    every = _list_benchmarks(cells[0])
    some = "{" + ",".join(name for name in every if name in named) + "}" if len(named) > 1 else next(iter(named))
    pattern = "*" if named == {*every} else some
    parts = (pattern if key == "benchmark" else to_part(value) for key, value in cells[0].axes if key != "seed")
    return "/".join([cells[0].eval, *parts])


def _find_lacking(
    gate: Gate, members: Sequence[Evaluation], siblings: Sequence[Evaluation], histories: Histories
) -> list[Evaluation]:
    """The cells whose result is needed and lacks: all that were chosen, and one of each benchmark that was not."""
    lacking = [cell for cell in members if not _has_result(cell, histories)]
    if gate.is_over_benchmarks:
        for some in _group_by_benchmark([*members, *siblings]).values():
            if not any(_has_result(cell, histories) for cell in some):
                lacking += [cell for cell in some if cell not in lacking]
    return lacking


def _find_kind(metric: str, cells: Sequence[Evaluation], histories: Histories) -> MetricKind:
    """Scale and direction of a metric, which a benchmark states of its headline."""
    block = cells[0].benchmark.block
    known = (histories.get(cell.name) for cell in cells)
    headlines = {find_headline(cell, found) for cell, found in zip(cells, known, strict=True) if found}
    return MetricKind(block.scale, block.better) if metric in headlines else UNKNOWN_KIND


def _describe_lacking(gate: Gate, cells: Sequence[Evaluation], lacks: Mapping[str, str]) -> str:
    """Why a gate is not judged whose cell has no result: the reason of the first, and how many more lack one."""
    reason = lacks.get(cells[0].name, "")
    more = f", and {len(cells) - 1} more {_noun(gate)}{'s' * (len(cells) > 2)} have none" if len(cells) > 1 else ""
    return f"not judged: {cells[0].name} has no result{f' ({reason})' if reason else ''}{more}"


def _noun(gate: Gate) -> str:
    """What a gate judges together."""
    return "evaluation" if gate.is_over_benchmarks else "seed"


def _group_by_gate(cells: Iterable[Evaluation]) -> dict[tuple[Gate, str], list[Evaluation]]:
    groups: dict[tuple[Gate, str], list[Evaluation]] = {}
    for cell in cells:
        for gate in cell.gates:
            groups.setdefault((gate, _address_of(gate, cell)), []).append(cell)
    return groups


def _address_of(gate: Gate, cell: Evaluation) -> str:
    """The path of the cells that a gate judges together with this one; that of a benchmark is left out if it may be."""
    if not gate.is_over_benchmarks:
        return cell.address
    return "/".join([cell.eval, *(str(value) for key, value in cell.axes if key not in ("seed", "benchmark"))])


def find_cells_judged_together(workspace: Workspace, nodes: Sequence[Node]) -> list[Node]:
    """Return the cells that are judged together with `nodes`: other seeds, or other benchmarks of theirs."""
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
    wanted = {_address_of(gate, cell) for cell in gated for gate in cell.gates}
    builder = workspace.graph_builder()
    return [builder.node(cell) for cell in cells if any(_address_of(gate, cell) in wanted for gate in cell.gates)]
