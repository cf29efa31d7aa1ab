"""A comparison for programs, as JSON, and for a comment on a pull request, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from evalmake.comparison.cells import Side
from evalmake.comparison.compare import Comparison
from evalmake.comparison.flips import Flip
from evalmake.language.markdown_text import escape
from evalmake.planner.digest import Change, describe_text
from evalmake.scoring.benchmark_change import BenchmarkChange
from evalmake.scoring.seed_average import SeedAverage
from evalmake.scoring.verdict import Verdict, format_p
from evalmake.terminal.comparison import (
    describe_changes,
    describe_count,
    describe_difference,
    describe_score,
    explain,
    summarize,
)
from evalmake.terminal.safe_text import clean_line

_MARKS = {
    Verdict.PASS: "✅ pass",
    Verdict.IMPROVEMENT: "✅ improvement",
    Verdict.REGRESSION: "❌ **regression**",
    Verdict.INCONCLUSIVE: "❔ inconclusive",
}
_LONGEST_TEXT = 300
_MOST_FLIPS = 50


def to_json(comparison: Comparison, status: int) -> dict[str, Any]:
    """The comparison as an object; differences are b - a."""
    found, differences = comparison.found, comparison.differences
    return {
        "v": 1,
        "status": status,
        "verdict": str(found.verdict),
        "confidence": found.confidence,
        "margin": str(found.margin) if found.margin.value else None,
        "a": _side_to_json(comparison.before),
        "b": _side_to_json(comparison.after),
        "differences": _changes_to_json(differences.shared),
        "benchmarks": [_change_to_json(comparison, one) for one in found.changes],
        "only_a": list(comparison.only_before),
        "only_b": list(comparison.only_after),
    }


def _side_to_json(side: Side) -> dict[str, Any]:
    return {"name": side.name, "notes": list(side.notes), "cells": [cell.name for cell in side.cells]}


def _change_to_json(comparison: Comparison, one: BenchmarkChange) -> dict[str, Any]:
    found, difference, size = one.comparison, one.comparison.difference, one.judgement.size
    low, high = (difference and difference.interval) or (None, None)
    outcomes = found.outcomes
    wins, losses = (outcomes.higher, outcomes.lower) if outcomes else (None, None)
    if one.kind.better == "lower":
        wins, losses = losses, wins
    flips = comparison.flips.get(one.benchmark)
    return {
        "benchmark": one.benchmark,
        "metric": one.metric,
        "scale": one.kind.scale,
        "better": one.kind.better,
        "a": _average_to_json(one.before),
        "b": _average_to_json(one.after),
        "difference": difference and difference.mean,
        "stderr": difference and difference.stderr,
        "low": low,
        "high": high,
        "p": found.p,
        "p_holm": found.p_holm,
        "compared": found.compared,
        "test": difference.test if difference else "none",
        "paired": found.paired,
        "items": difference.n if difference else 0,
        "dropped": found.dropped,
        "wins": wins,
        "losses": losses,
        "ties": outcomes.same if outcomes else None,
        "verdict": str(one.judgement.verdict),
        "reason": one.judgement.reason,
        "items_to_decide": asdict(size) if size else None,
        "differences": _changes_to_json(comparison.differences.own.get(one.benchmark, ())),
        "notes": list(comparison.notes.get(one.benchmark, ())),
        "note": found.note,
        **({} if flips is None else {"flips": [_flip_to_json(flip) for flip in flips]}),
    }


def _changes_to_json(changes: Sequence[Change]) -> list[dict[str, str]]:
    return [{"path": one.path, "a": describe_text(one.before), "b": describe_text(one.now)} for one in changes]


def _average_to_json(side: SeedAverage) -> dict[str, Any]:
    return {
        "score": side.mean,
        "low": side.low,
        "high": side.high,
        "samples": side.samples,
        "runs": side.runs,
        "notes": [asdict(note) for note in side.notes],
    }


def _flip_to_json(flip: Flip) -> dict[str, Any]:
    return {
        "id": flip.id,
        "a": flip.before,
        "b": flip.after,
        "worse": flip.is_worse,
        "prompt": flip.prompt,
        "target": flip.target,
        "reply_a": flip.reply_before,
        "reply_b": flip.reply_after,
    }


def to_markdown(comparison: Comparison, most_flips: int = 0) -> str:
    """A comment: the verdict, a table, what differs, and details to unfold."""
    blocks = [
        f"### {_MARKS[comparison.found.verdict]}: {_code(comparison.before.name)} → {_code(comparison.after.name)}",
        f"{_escape(summarize(comparison))}.",
        _render_table(comparison),
        "\n".join(_render_reasons(comparison)),
        "\n".join(_render_differences(comparison)),
    ]
    blocks += [
        _render_flips(label, flips, most_flips or _MOST_FLIPS) for label, flips in comparison.flips.items() if flips
    ]
    return "\n\n".join(block for block in blocks if block)


def _render_table(comparison: Comparison) -> str:
    head = ["benchmark", "n", "A", "B", "B − A", "p", "adjusted p", "wins / losses / ties", "verdict"]
    rows = [head, ["---", *["---:"] * 7, "---"]]
    for one in comparison.found.changes:
        outcomes = one.comparison.outcomes
        counts = "–"
        if outcomes:
            pair = (outcomes.higher, outcomes.lower)
            wins, losses = reversed(pair) if one.kind.better == "lower" else pair
            counts = f"{wins} / {losses} / {outcomes.same}"
        rows.append(
            [
                _escape(one.benchmark),
                describe_count(one),
                describe_score(one, False),
                describe_score(one, True),
                _escape(describe_difference(one)),
                format_p(one.comparison.p),
                format_p(one.comparison.p_holm),
                counts,
                _MARKS[one.judgement.verdict],
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _render_reasons(comparison: Comparison) -> Iterator[str]:
    """A point for each benchmark: the reason of its verdict, and what a reader must know."""
    for one in comparison.found.changes:
        told = [*(explain(one) or [one.judgement.reason]), *comparison.notes.get(one.benchmark, ())]
        yield f"- {_escape(one.benchmark)}: {_escape('; '.join(told))}."
    for letter, labels in (("A", comparison.only_before), ("B", comparison.only_after)):
        if labels:
            yield f"- Not compared, as only {letter} has it: {_escape(', '.join(labels))}."
    for letter, side in (("A", comparison.before), ("B", comparison.after)):
        yield from (f"- {letter}: {_escape(note)}." for note in side.notes)


def _render_differences(comparison: Comparison) -> Iterator[str]:
    differences = comparison.differences
    told = [(differences.shared, []), *differences.grouped().items()]
    for changes, labels in told:
        for name, how in describe_changes(changes):
            where = f"{_escape(', '.join(labels))}: " if labels else ""
            yield f"- {where}{_code(name)} {_code(how) if how else ''}".rstrip()


def _render_flips(label: str, flips: Sequence[Flip], most: int) -> str:
    worse = sum(flip.is_worse for flip in flips)
    lines = ["| | item | prompt | target | A | B |", "| --- | --- | --- | --- | --- | --- |"]
    for flip in flips[:most]:
        texts = (flip.id, flip.prompt, flip.target, flip.reply_before or "", flip.reply_after or "")
        cells = " | ".join(_escape(_crop(text)) for text in texts)
        lines.append(f"| {'worse' if flip.is_worse else 'better'} | {cells} |")
    if left := len(flips) - most:
        lines += [f"\nand {left} more"] if left > 0 else []
    title = f"{_escape(label)}: {worse} worse, {len(flips) - worse} better"
    return "\n".join([f"<details><summary>{title}</summary>", "", *lines, "", "</details>"])


def _crop(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 4]} ..."


def _escape(text: str) -> str:
    return escape(clean_line(text))


def _code(text: str) -> str:
    """A text as code; backticks in it would end that."""
    return f"`{clean_line(text).replace('`', chr(39))}`"
