"""What a requirement compares with: the cells of a model of the same eval, or those of a baseline."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import partial

from evalmake.comparison.baseline_file import decode_baseline
from evalmake.comparison.baselines import make_side
from evalmake.comparison.cells import ComparedCell, Identity, Side, describe_place, make_result
from evalmake.comparison.pairing import CellPair
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import Node
from evalmake.planner.staleness import ActionHistory, Histories, find_lack
from evalmake.project.matrix import Evaluation
from evalmake.project.relations import find_counterparts
from evalmake.project.requirements import Referent
from evalmake.results import make_item_reader
from evalmake.scoring.relative_gates import OtherSide
from evalmake.store.store import Store
from evalmake.workspace import Workspace


@dataclass(slots=True)
class GateReferences:
    """Finds the other sides of requirements. Of the store, it reads the actions in `only`, if that is given."""

    workspace: Workspace
    store: Store
    only: Container[str] | None = None
    _nodes: dict[str, Node] = field(default_factory=dict)
    _sides: dict[str, Side | str] = field(default_factory=dict)

    def find(self, than: Referent, cells: Sequence[Evaluation], histories: Histories) -> OtherSide:
        """The other side for cells that differ in their seed alone, and have a result."""
        before = self._find_model(than, cells[0]) if than.kind == "model" else self._find_baseline(than, cells[0])
        if isinstance(before, str):
            return OtherSide(lack=before)
        after = [one for cell in cells if (one := self._compare(cell, histories.get(cell.name))) is not None]
        pair = CellPair("", tuple(before), tuple(after))
        if not pair.is_same_result and (lack := _describe_other_items(than, pair)):
            return OtherSide(lack=lack)
        return OtherSide([cell.run for cell in before], pair.is_same_result)

    def describe(self, than: Referent, cell: Evaluation) -> str:
        """What a cell will be compared with, for a plan."""
        if than.kind == "model":
            return f"compared with the same cell of {than}"
        found = self._find_baseline(than, cell)
        if isinstance(found, str):
            return f"cannot be judged: {found}"
        unpaired = next((one.lack_of_items for one in found if one.lack_of_items), "")
        return f"compared with {than}, {f'unpaired: {unpaired}' if unpaired else 'paired'}"

    def _find_model(self, than: Referent, cell: Evaluation) -> list[ComparedCell] | str:
        """The cells of a model that are to be compared with; or why there are none."""
        found = []
        for other in find_counterparts(cell, than, self.workspace.cells[cell.eval]):
            node = self._node_of(other)
            head = self.store.history(node.action.digest) if self._may_read(node.action.digest) else None
            lack = find_lack(node.demands, head)
            compared = None if lack else self._compare(other, head)
            if compared is None:
                reason = f" ({lack})" if lack else ""
                return f"{other.name} has no result{reason} to compare with: `evalmake {other.name}` runs it"
            found.append(compared)
        return found or f"{than} has no cell to compare with"

    def _may_read(self, action: str) -> bool:
        return self.only is None or action in self.only

    def _node_of(self, cell: Evaluation) -> Node:
        if cell.name not in self._nodes:
            self._nodes[cell.name] = self.workspace.graph_builder().node(cell)
        return self._nodes[cell.name]

    def _compare(self, cell: Evaluation, head: ActionHistory | None) -> ComparedCell | None:
        if head is None or head.success is None:
            return None
        place = describe_place(cell)
        result = make_result(cell.name, place, cell.seed, head, cell)
        read = partial(make_item_reader(self.store.folder), result.action, result.attempt)
        return ComparedCell(cell.name, place, cell.seed, Identity(), result, read_items=read)

    def _find_baseline(self, than: Referent, cell: Evaluation) -> list[ComparedCell] | str:
        """The cells of a baseline that are to be compared with; or why there are none."""
        if than.name not in self._sides:
            self._sides[than.name] = self._open_baseline(than)
        side = self._sides[than.name]
        if isinstance(side, str):
            return side
        place = describe_place(cell)
        found = [one for one in side.cells if one.place == place]
        what = f"`evalmake baseline show {than.name}` lists what it has"
        return found or f"{than} has no result of {cell.address}: {what}"

    def _open_baseline(self, than: Referent) -> Side | str:
        project = self.workspace.project
        data = project.baselines.get(than.name)
        if data is None:
            meant = project.missing_baselines.get(than.name)
            cure = f"did you mean `{meant}`?" if meant else f"`evalmake baseline set {than.name}` writes it"
            return f"no baseline is named `{than.name}`: {cure}"
        try:
            return make_side(decode_baseline(than.name, data), self.store, self.only)
        except EvalmakeError as error:
            return error.diagnostics[0].message


def _describe_other_items(than: Referent, pair: CellPair) -> str:
    """Why two sides cannot be compared that were asked different items; empty if they were asked the same.

    Samples that ended in an error may have left no item, so where some are not scored nothing is known.
    """
    if any(score.unscored for cell in (*pair.before, *pair.after) if cell.result for score in cell.result.scores):
        return ""
    one, other = ({cell.digest_questions() for cell in side} for side in (pair.before, pair.after))
    if "" in (*one, *other) or one == other:
        return ""
    counts = [_count(side[0]) for side in (pair.before, pair.after)]
    how = f"{counts[0]} against {counts[1]}" if counts[0] != counts[1] else f"{counts[0]}, but not the same"
    cure = "ask both the same"
    if than.kind == "baseline":
        cure = f'if that is meant, `evalmake baseline update {than.name} --because "..."`'
    return f"{than} is of other items ({how}): {cure}"


def _count(cell: ComparedCell) -> int:
    assert cell.result is not None
    return next((score.scored for score in cell.result.scores if score.metric == cell.result.metric), 0)
