"""When an evaluation stops to ask: `until = decided` and `precision` of an eval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalmake.project.requirements import Gate
    from evalmake.project.schema import Eval

CONFIDENCE = 0.95
"""With which a gate is decided, where neither the eval nor `settings` have a `confidence`."""


@dataclass(frozen=True, slots=True)
class StopRule:
    """Stop as soon as it is known on which side of each bound its metric lies, and the headline to `precision`.

    A bound has the name of its metric, empty for the headline. `precision` is half the width of an interval.
    """

    confidence: float
    bounds: tuple[tuple[str, float], ...] = ()
    precision: float | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """As JSON has it; also what is part of the identity."""
        found: dict[str, Any] = {"confidence": self.confidence}
        found |= {"bounds": [list(one) for one in self.bounds]} if self.bounds else {}
        return found | ({} if self.precision is None else {"precision": self.precision})

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> StopRule:
        """The rule of `fields`; KeyError, TypeError or ValueError if they are of none."""
        bounds = tuple((str(metric), float(bound)) for metric, bound in fields.get("bounds", ()))
        precision = fields.get("precision")
        return cls(float(fields["confidence"]), bounds, None if precision is None else float(precision))


def find_stop_rule(block: Eval, gates: tuple[Gate, ...], confidence: float | None) -> StopRule | None:
    """The rule of an eval; None if it asks everything. `confidence` is that of the settings."""
    if block.until is None and block.precision is None:
        return None
    bounds = [
        ("" if gate.word else gate.metric, edge)
        for gate in gates
        if block.until is not None and not gate.is_over_benchmarks and gate.than is None and not gate.unit
        for edge in ([gate.bound - gate.within, gate.bound + gate.within] if gate.within else [gate.bound])
    ]
    return StopRule(block.confidence or confidence or CONFIDENCE, tuple(dict.fromkeys(bounds)), block.precision)
