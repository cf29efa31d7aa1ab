"""What the script of an `html` report draws: tables, comparisons, gates and results, with their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evalmake.exporters.interval_legend import AVERAGE, BASES, PAIRED, TESTS
from evalmake.exporters.json import cell_to_json, result_to_json
from evalmake.exporters.markdown import list_summary
from evalmake.sample_filter.fields import FIELDS
from evalmake.scoring.cost import add_costs, format_cost, read_cost
from evalmake.scoring.numbers import count_decimals, format_estimate, format_number, format_percent
from evalmake.scoring.result_set import GateResult, Result, ResultSet, TableCell, distinct_runs
from evalmake.scoring.row_comparison import RowComparison
from evalmake.scoring.row_pairs import ColumnComparison, RowPair, compare_row_pairs, find_leaders
from evalmake.scoring.table_sections import TableSection
from evalmake.scoring.verdict import format_p

VERSION = 1
_MARKS = {True: "met", False: "not met", None: "not judged"}


def make_page_data(results: ResultSet, means: Sequence[Mapping[str, Any]], left_out: str) -> dict[str, Any]:
    """Everything but samples and stories; `left_out` says why texts of samples are not there."""
    table, notes, cells = results.table(), results.collect_notes(), results.divide_into_cells()
    pairs = list(compare_row_pairs(results))
    return {
        "format": "evalmake-page",
        "version": VERSION,
        "title": results.title,
        "plan": results.plan,
        "confidence": format_percent(results.confidence),
        "summary": list_summary(results),
        "problems": [list(problem) for problem in _list_problems(results)],
        "rows": results.rows,
        "column": results.column,
        "compare": results.compare,
        "sections": [_section_to_json(section) for section in table.sections],
        "table": [
            {**_cell_to_json(cell), **_describe_runs(results, cells[place])} for place, cell in table.cells.items()
        ],
        "averages": [_cell_to_json(cell) for cell in table.averages.values()],
        "others": [_cell_to_json(cell) for cell in table.others],
        "leaders": find_leaders(results, pairs),
        "pairs": [_pair_to_json(pair) for pair in pairs],
        "item_means": means,
        "gates": [_gate_to_json(gate) for gate in results.gates],
        "results": [_result_to_json(result, results, notes[result.name]) for result in results.results],
        "cost_text": format_cost(add_costs(result.usage for result in distinct_runs(results.results))),
        "missing": [{"name": name, **_lack_to_json(results, name)} for name in results.missing],
        "left_out": left_out,
        "fields": FIELDS,
        "terms": {"bases": BASES, "tests": TESTS, "paired": PAIRED, "average": AVERAGE},
    }


def _list_problems(results: ResultSet) -> Iterator[tuple[str, str]]:
    """What is wrong, and the address of the view that shows it."""
    runs = distinct_runs(results.results)
    gates = Counter((gate.tier, gate.met) for gate in results.gates)
    unscored = sum(_count_unscored(result) for result in runs)
    truncated = int(sum(result.usage.get("replies_truncated", 0) for result in runs))
    for number, one, many, address in (
        (gates["critical", False], "gate not met", "gates not met", "#/?to=gates"),
        (gates["critical", None], "gate not judged", "gates not judged", "#/?to=gates"),
        (gates["supporting", False], "supporting gate not met", "supporting gates not met", "#/?to=gates"),
        (gates["supporting", None], "supporting gate not judged", "supporting gates not judged", "#/?to=gates"),
        (len(results.missing), "evaluation without a result", "evaluations without a result", "#/?to=missing"),
        (unscored, "unscored sample", "unscored samples", "#/samples?mode=unscored"),
        (truncated, "truncated reply", "truncated replies", "#/samples?mode=truncated"),
    ):
        if number:
            yield f"{number} {one if number == 1 else many}", address


def _section_to_json(section: TableSection) -> dict[str, Any]:
    groups = [group.name for group in section.groups]
    return {"title": section.title, "rows": section.rows, "columns": section.columns, "groups": groups}


def _cell_to_json(cell: TableCell) -> dict[str, Any]:
    average = cell.average
    value, _, interval = format_estimate(average.mean, average.low, average.high).partition(" [")
    texts = {"value": value, "interval": f"[{interval}" if interval else "", "kind": str(cell.kind)}
    return {**cell_to_json(cell), **texts, "confidence_text": format_percent(cell.confidence)}


def _describe_runs(results: ResultSet, cell: Sequence[Result]) -> dict[str, Any]:
    """The evaluations of a cell, and the gates that judge them."""
    names = [result.name for result in cell]
    addresses = {name.rpartition("/")[0] for name in names} | {*names}
    gates = [i for i, gate in enumerate(results.gates) if any(map(gate.concerns, addresses))]
    return {"cells": names, "gates": gates, "unscored": sum(_count_unscored(result) for result in cell)}


def _count_unscored(result: Result) -> int:
    score = result.score(result.metric)
    return score.unscored if score else 0


def _gate_to_json(gate: GateResult) -> dict[str, Any]:
    known = gate.fields()
    parts = [[seed, value, n] for (seed, value), n in zip(known.pop("parts"), known.pop("samples"), strict=True)]
    told = {"requirement": gate.requirement, "detail": gate.detail, "verdict": _MARKS[gate.met]}
    return {**known, **told, "parts": parts}


def _result_to_json(result: Result, results: ResultSet, notes: Sequence[Any]) -> dict[str, Any]:
    found = result_to_json(result, results, notes)
    headline = next((one for one in found["scores"] if one["metric"] == result.metric), None)
    text = format_estimate(headline["value"], headline["low"], headline["high"]) if headline else "no score"
    value, _, interval = text.partition(" [")
    row = {"row_value": result.coordinate(results.rows), "column_value": result.coordinate(results.column)}
    texts = {"value": value, "interval": f"[{interval}" if interval else "", **row}
    return {**found, **texts, "headline": headline, "cost_text": format_cost(read_cost(result.usage))}


def _lack_to_json(results: ResultSet, name: str) -> dict[str, Any]:
    return asdict(results.read_lack(name))


# Comparisons ---------------------------------------------------------------------------------------


def _pair_to_json(pair: RowPair) -> dict[str, Any]:
    return {"row": pair.row, "baseline": pair.baseline, "columns": [_comparison_to_json(one) for one in pair.columns]}


def _comparison_to_json(one: ColumnComparison) -> dict[str, Any]:
    found = one.found
    difference, outcomes = found.difference, found.outcomes
    low, high = (difference and difference.interval) or (None, None)
    return {
        "column": found.column,
        "metric": found.metric,
        "difference": difference and difference.mean,
        "low": low,
        "high": high,
        "digits": count_decimals((high - low) / 2) if low is not None and high is not None else 3,
        "p": format_p(found.p),
        "p_holm": format_p(found.p_holm),
        "compared": found.compared,
        "significant": found.significant,
        "test": difference.test if difference else "none",
        "paired": found.paired and difference is not None,
        "items": difference.n if difference else 0,
        "higher": outcomes and outcomes.higher,
        "lower": outcomes and outcomes.lower,
        "same": outcomes and outcomes.same,
        "dropped": found.dropped,
        "verdict": [str(one.verdict.verdict), one.verdict.reason],
        "reverse": [str(one.reverse.verdict), one.reverse.reason],
        "differences": found.differences,
        "notes": list(_list_notes(found)),
    }


def _list_notes(found: RowComparison) -> Iterator[str]:
    if found.difference is None:
        yield f"Not compared: {found.note}."
    elif not found.paired:
        yield f"Compared as different items, because {found.note}."
    if found.dropped and found.paired:
        left = "1 item is" if found.dropped == 1 else f"{found.dropped} items are"
        yield f"{left} left out: not scored in both, or not the same in both."
    if found.significant is False and found.detectable and found.alpha:
        yield f"So many items give 80 % power to detect a difference of {format_number(found.detectable, 2)}."
