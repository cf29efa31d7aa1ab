"""The `json` report: everything a machine may want to know about the results.

Results keep the plan's order and floats their exact value (the shortest text that reads back as the
same number).  Whether a result was reused belongs to a build and not to the result; it is left out,
so that the same results give the same bytes.  `version` is raised when a field changes its meaning
or goes away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from evalmake.language.atomic_write import write_atomic
from evalmake.project.key_types import Block
from evalmake.scoring.result_set import GateResult, Result, ResultSet, RowComparison, Score, SeedAverage, TableCell

VERSION = 1


class JsonExporter:
    """Writes one JSON document; it has no settings of its own."""

    Settings: ClassVar[type[BaseModel]] = Block

    def export(self, results: ResultSet, path: Path) -> None:
        """Write the report to `path`, whole or not at all."""
        text = json.dumps(_document(results), indent=2, ensure_ascii=False, allow_nan=False)
        write_atomic(path, f"{text}\n".encode())


def _document(results: ResultSet) -> Mapping[str, Any]:
    table = results.table()
    return {
        "format": "evalmake-results",
        "version": VERSION,
        "title": results.title,
        "plan": results.plan,
        "confidence": results.confidence,
        "rows": results.rows,
        "column": results.column,
        "table": [_cell(cell) for cell in table.cells.values()],
        "other_metrics": [_cell(cell) for cell in table.others],
        "compare": results.compare or None,
        "comparisons": [_contrast(one) for one in results.row_comparisons],
        "gates": [_gate(gate) for gate in results.gates],
        "results": [_result(result) for result in results.results],
        "missing": list(results.missing),
    }


def _flat(value: Score | SeedAverage | Result | GateResult) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _cell(cell: TableCell) -> dict[str, Any]:
    return {"row": cell.row, "column": cell.column, "metric": cell.metric, **_flat(cell.average)}


def _contrast(found: RowComparison) -> dict[str, Any]:
    """`difference` is row - baseline; without one, `note` says why."""
    of = found.difference
    low, high = (of and of.interval) or (None, None)
    return {
        "row": found.row,
        "column": found.column,
        "baseline": found.baseline,
        "metric": found.metric,
        "difference": of and of.mean,
        "stderr": of and of.stderr,
        "low": low,
        "high": high,
        "p": found.p,
        "p_holm": found.p_holm,
        "test": found.test,
        "items": of.n if of else 0,
        "unpaired": found.unpaired,
        "detectable": found.detectable,
        "note": found.note,
    }


def _gate(gate: GateResult) -> dict[str, Any]:
    flat = _flat(gate)
    samples = flat.pop("samples")
    flat["parts"] = [
        {"seed": seed, "value": value, "samples": count}
        for (seed, value), count in zip(gate.parts, samples, strict=True)
    ]
    return flat


def _result(result: Result) -> dict[str, Any]:
    flat = _flat(result)
    del flat["reused"]
    flat["axes"] = dict(result.axes)
    flat["scores"] = [_flat(score) for score in result.scores]
    flat["usage"] = dict(sorted(result.usage.items()))
    return flat
