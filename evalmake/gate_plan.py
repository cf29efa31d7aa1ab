"""The gates that a build will judge, as `-n` lists them: those that compare, with what they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.planner.graph import Node
from evalmake.project.requirements import Gate
from evalmake.store.store import Store
from evalmake.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PlannedGate:
    """A gate of some cells that will be judged, and how."""

    gate: Gate
    addresses: tuple[str, ...]
    how: str


def plan_gates(workspace: Workspace, nodes: Sequence[Node], store: Store) -> list[PlannedGate]:
    """The gates of these cells that compare; those that are judged alike stand together."""
    cells = {node.evaluation.address: node.evaluation for node in nodes}.values()
    if not any(gate.than for cell in cells for gate in cell.gates):
        return []
    from evalmake.comparison.gate_references import GateReferences

    references = GateReferences(workspace, store)
    found: dict[tuple[Gate, str], dict[str, None]] = {}
    for cell in cells:
        for gate in cell.gates:
            if gate.than is not None:
                how = references.describe(gate.than, cell)
                found.setdefault((gate, how), {})[cell.address] = None
    return [PlannedGate(gate, tuple(addresses), how) for (gate, how), addresses in found.items()]
