"""The `json` report: everything about the results, for programs.

Results keep the plan's order. Floats keep their exact value: the shortest text that reads back as the
same number. Whether a result was reused is left out, as it belongs to a build: the same results give
the same bytes. `version` rises when a field changes its meaning or is removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from evalmake.language.atomic_write import write_atomic
from evalmake.project.key_types import Block
from evalmake.scoring.cost import read_cost
from evalmake.scoring.notes import Note
from evalmake.scoring.result_set import (
    GateResult,
    Result,
    ResultSet,
    RowComparison,
    Score,
    ScoreTable,
    SeedAverage,
    TableCell,
)

VERSION = 2


class JsonExporter:
    """Writes one JSON document; it has no settings of its own."""

    Settings: ClassVar[type[BaseModel]] = Block

    def export(self, results: ResultSet, path: Path) -> None:
        """Write the report to `path` atomically."""
        text = json.dumps(_results_to_json(results), indent=2, ensure_ascii=False, allow_nan=False)
        write_atomic(path, f"{text}\n".encode())


def _results_to_json(results: ResultSet) -> Mapping[str, Any]:
    table, notes = results.table(), results.collect_notes()
    return {
        "format": "evalmake-results",
        "version": VERSION,
        "title": results.title,
        "plan": results.plan,
        "confidence": results.confidence,
        "rows": results.rows,
        "column": results.column,
        **_sections_to_json(table, bool(results.sections)),
        "table": [cell_to_json(cell) for cell in table.cells.values()],
        "averages": [cell_to_json(cell) for cell in table.averages.values()],
        "other_metrics": [cell_to_json(cell) for cell in table.others],
        "compare": results.compare or None,
        "comparisons": [_comparison_to_json(comparison) for comparison in results.row_comparisons],
        "gates": [_gate_to_json(gate) for gate in results.gates],
        "results": [result_to_json(result, results, notes[result.name]) for result in results.results],
        "missing": list(results.missing),
    }


def _sections_to_json(table: ScoreTable, has_sections: bool) -> Mapping[str, Any]:
    """The titles with their rows and columns, where the report has sections."""
    sections = [
        {
            "title": section.title,
            "rows": list(section.rows),
            "columns": [*section.columns, *(group.name for group in section.groups)],
        }
        for section in table.sections
    ]
    return {"sections": sections} if has_sections else {}


def _fields_to_json(value: Score | SeedAverage | Result) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def cell_to_json(cell: TableCell) -> dict[str, Any]:
    """One entry of a table, as an object."""
    return {
        "row": cell.row,
        "column": cell.column,
        "metric": cell.metric,
        **asdict(cell.kind),
        "confidence": cell.confidence,
        **_fields_to_json(cell.average),
        "notes": [asdict(note) for note in cell.average.notes],
    }


def _comparison_to_json(comparison: RowComparison) -> dict[str, Any]:
    """`difference` is row - baseline; without one, `note` says why."""
    difference = comparison.difference
    low, high = (difference and difference.interval) or (None, None)
    return {
        "row": comparison.row,
        "column": comparison.column,
        "baseline": comparison.baseline,
        "metric": comparison.metric,
        "difference": difference and difference.mean,
        "stderr": difference and difference.stderr,
        "low": low,
        "high": high,
        "p": comparison.p,
        "p_holm": comparison.p_holm,
        "significant": comparison.significant,
        "compared": comparison.compared,
        "test": difference.test if difference else "none",
        "paired": comparison.paired,
        "items": difference.n if difference else 0,
        "dropped": comparison.dropped,
        "detectable": comparison.detectable,
        "alpha": comparison.alpha,
        "differences": list(comparison.differences),
        "note": comparison.note,
    }


def _gate_to_json(gate: GateResult) -> dict[str, Any]:
    flat = gate.fields()
    samples = flat.pop("samples")
    if gate.benchmarks:
        flat["benchmarks"] = [{"benchmark": name, "value": value} for name, value in gate.benchmarks]
    flat["parts"] = [
        {"seed": seed, "value": value, "samples": count}
        for (seed, value), count in zip(gate.parts, samples, strict=True)
    ]
    return flat


def result_to_json(result: Result, results: ResultSet, notes: Sequence[Note]) -> dict[str, Any]:
    """One result with its scores and the notes on it, as an object."""
    flat = _fields_to_json(result)
    del flat["reused"], flat["settings"], flat["facts"], flat["seeds"], flat["kind"], flat["tag"]
    flat |= asdict(result.kind)
    flat["notes"] = [asdict(note) for note in notes]
    flat["confidence"] = results.confidence_of([result])
    flat["axes"] = dict(result.axes)
    flat["scores"] = [_fields_to_json(score) for score in results.estimate_scores(result)]
    flat["usage"] = dict(sorted(result.usage.items()))
    flat |= {"cost": cost} if (cost := read_cost(result.usage)) else {}
    return flat
