"""What `evalmake baseline show` prints: all baselines, or the results of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalmake.comparison.baseline_file import Baseline, BaselineResult
from evalmake.comparison.cells import Side
from evalmake.scoring.numbers import format_number
from evalmake.terminal.safe_text import clean_line
from evalmake.terminal.tables import align_columns, wrap_row


def render_list(baselines: Sequence[Baseline]) -> str:
    """A line for each baseline: name, number of results, targets, and the latest reason."""
    if not baselines:
        return "no baselines: `evalmake baseline set NAME [TARGET]...` writes one"
    rows = [("baseline", "results", "targets", "because")]
    rows += [
        (one.name, str(len(one.results)), clean_line(" ".join(one.targets) or "all"), clean_line(_find_reason(one)))
        for one in baselines
    ]
    return "\n".join(align_columns(rows))


def render_baseline(baseline: Baseline, side: Side, columns: int | None) -> str:
    """Its reasons, and a line for each result, which says whether its items are in the store."""
    lines = [f"baseline {baseline.name} of {clean_line(' '.join(baseline.targets) or 'all targets')}"]
    lines += [wrap_row("  ", clean_line(text), columns) for text in baseline.because]
    rows = [("result", "metric", "score", "n", "items")]
    for one, cell in zip(baseline.results, side.cells, strict=True):
        value = one.scores[one.metric].value
        score = "-" if value is None else format_number(value)
        n = str(one.scores[one.metric].scored or "-")
        rows.append((clean_line(one.name), clean_line(one.metric), score, n, _describe_items(one, cell.lack_of_items)))
    return "\n".join([*lines, "", *align_columns(rows)])


def _describe_items(one: BaselineResult, lack: str) -> str:
    if not one.items:
        return "none on record"
    return "not in this store" if lack else "in the store"


def _find_reason(baseline: Baseline) -> str:
    return baseline.because[-1] if baseline.because else ""


def list_to_json(baselines: Sequence[Baseline]) -> list[dict[str, Any]]:
    """All baselines for programs."""
    return [
        {
            "name": one.name,
            "targets": list(one.targets),
            "results": len(one.results),
            "because": list(one.because),
        }
        for one in baselines
    ]


def baseline_to_json(baseline: Baseline, side: Side) -> dict[str, Any]:
    """One baseline for programs."""
    return {
        "name": baseline.name,
        "targets": list(baseline.targets),
        "because": list(baseline.because),
        "results": [
            {
                "target": one.name,
                "metric": one.metric,
                "score": one.scores[one.metric].value,
                "stderr": one.scores[one.metric].stderr,
                "samples": one.scores[one.metric].scored,
                "unscored": one.scores[one.metric].unscored,
                "items_in_store": bool(one.items) and not cell.lack_of_items,
            }
            for one, cell in zip(baseline.results, side.cells, strict=True)
        ],
    }
