"""The end of a build: scores with intervals, gates met and unmet, what ran, what was reused."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from evalmake.scoring.result_set import ResultSet, ScoreTable, machine_seconds
from evalmake.session import BuildOutcome
from evalmake.terminal.plan import duration


def render_outcome(outcome: BuildOutcome) -> str:
    """The text for stdout."""
    if outcome.plan.is_empty and not outcome.ran and not outcome.written:
        return nothing_to_do(outcome)
    parts = []
    if outcome.results and outcome.results.results:
        parts.append(score_table(outcome.results))
    parts.append("\n".join(_facts(outcome)))
    return "\n\n".join(part for part in parts if part) + "\n"


def nothing_to_do(outcome: BuildOutcome) -> str:
    """The one line of a build that had nothing to do; unmet gates are named in it."""
    count = len(outcome.plan.decisions)
    text = f"nothing to do: {count} evaluation{'s' * (count != 1)} up to date"
    unmet = [gate.result.address for gate in outcome.gates if not gate.result.met]
    if unmet:
        shown = ", ".join(unmet[:5]) + (", ..." if len(unmet) > 5 else "")
        text += f"; {len(unmet)} gate{'s' * (len(unmet) != 1)} not met: {shown}"
    return text + "\n"


def score_table(results: ResultSet) -> str:
    """One row a (row, column) pair: the pooled headline score and its interval."""
    table: ScoreTable = results.table()
    rows = []
    for (row, column), cell in table.cells.items():
        pooled = cell.average
        value = "-" if pooled.mean is None else f"{pooled.mean:.3f}"
        interval = ""
        if pooled.low is not None and pooled.high is not None:
            interval = f"[{pooled.low:.3f}, {pooled.high:.3f}]"
        runs = f"{pooled.runs} run{'s' * (pooled.runs != 1)}"
        rows.append((row, column, cell.metric, value, interval, runs))
    head = (
        results.rows,
        results.column,
        "metric",
        "score",
        f"{results.confidence:.0%} interval",
        "",
    )
    return "\n".join(_aligned([head, *rows]))


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _facts(outcome: BuildOutcome) -> list[str]:
    lines = []
    met = Counter(gate.result.met for gate in outcome.gates)
    if outcome.gates:
        text = f"{met[True]} gate{'s' * (met[True] != 1)} met"
        text += f", {met[False]} not met" if met[False] else ""
        text += f", {met[None]} not judged" if met[None] else ""
        lines.append(text)
    stale = len(outcome.plan.stale)
    failed = len({node.action.digest for node in outcome.plan.stale}) - len(outcome.ran)
    failed -= outcome.detached
    reused = len(outcome.plan.decisions) - stale
    ran = len(outcome.ran) or failed > 0 or reused or not outcome.detached
    told = [f"{len(outcome.ran)} ran"] if ran else []
    told += [f"{failed} did not finish"] if failed > 0 else []
    told += [f"{reused} reused"] if reused else []
    lines += [", ".join(told)] if told else []
    lines += _machines(outcome)
    if outcome.detached:
        lines.append(f"{outcome.detached} submitted: `evalmake status` shows them, `evalmake` collects them")
    lines += [f"wrote {_shown(path)}" for path in outcome.written]
    return lines


def _machines(outcome: BuildOutcome) -> list[str]:
    """How long what ran had machines of each shape, where that is known."""
    results = outcome.results.results if outcome.results else ()
    took = machine_seconds(result for result in results if not result.reused).items()
    return [", ".join(f"{duration(seconds)} on {shape}" for shape, seconds in took)] if took else []


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
