"""What `evalmake reproduce EVIDENCE` prints: what is missing, and whether the numbers came out again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from evalmake.evidence_checks.missing_parts import Readiness
from evalmake.evidence_checks.replay import Disagreement, ReplayedEvaluation
from evalmake.evidence_checks.reproduction import Reproduction
from evalmake.evidence_checks.second_run import ComparedEvaluation, SecondRun
from evalmake.scoring.row_comparison import RowComparison
from evalmake.terminal.verification import render_verification, verification_to_json

_MOST_DIFFERENCES = 10
_MOST_EVALUATIONS = 20
_Row = TypeVar("_Row")


def render_reproduction(found: Reproduction) -> str:
    """Return the text for a person."""
    if found.verified.findings.has_failed:
        return render_verification(found.verified)
    lines = [*_render_checks(found)]
    if found.ready is not None and found.layout is not None:
        lines += [f"the project is in {found.layout.path.parent}", *_render_readiness(found.ready)]
    if found.replayed is not None:
        lines += _render_replay(found.replayed)
    if found.second is not None:
        lines += _render_second_run(found.second)
    return "\n".join(lines)


def reproduction_to_json(found: Reproduction) -> dict[str, Any]:
    """Return the same for programs, with all differences."""
    ready, second = found.ready, found.second
    return {
        "format": "evalmake-reproduction",
        "version": 1,
        "status": found.status,
        "verification": verification_to_json(found.verified),
        "project": None if found.layout is None else str(found.layout.path),
        "missing": None if ready is None else [{"what": one.what, "todo": one.todo} for one in ready.missing],
        "notes": [] if ready is None else ready.notes,
        "replay": None if found.replayed is None else [_replay_to_json(one) for one in found.replayed],
        "ask": None if second is None else [_comparison_to_json(one) for one in second.compared],
    }


def _render_checks(found: Reproduction) -> Iterator[str]:
    verified = found.verified
    held = sum(check.state == "holds" for check in verified.findings.checks)
    others = [check for check in verified.findings.checks if check.state == "unchecked"]
    yield f"{verified.path}: {held} checks hold, none fails"
    for check in others:
        yield f"  unchecked  {check.subject}: {check.message}"


def _render_readiness(ready: Readiness) -> Iterator[str]:
    for note in ready.notes:
        yield f"  note       {note}"
    for one in ready.missing:
        yield f"  missing    {one.what}" + (f": {one.todo}" if one.todo else "")
    for name in ready.gone:
        yield f"  note       {name}: these overrides leave no such evaluation"
    yield f"{len(ready.missing)} missing" if ready.missing else "nothing is missing"


def _render_replay(replayed: Sequence[ReplayedEvaluation]) -> Iterator[str]:
    for one in _first(replayed):
        if one.why_not:
            yield f"  {'read again' if one.is_read_again else 'NOT REPLAYED'}  {one.name}: {one.why_not}"
            continue
        scores = ", ".join(f"{metric} {value!r}" for metric, value in one.scores) or "no score"
        verdict = "DIFFERS" if one.differences else "same"
        yield f"  {verdict:<10}  {one.name}: {one.samples} samples, {scores}"
        yield from _render_differences(one.differences)
    same = sum(one.agrees and not one.why_not for one in replayed)
    yield from _count_more(replayed)
    if same:
        yield f"{same} of {len(replayed)} evaluations scored again: the same to the last digit"
    else:
        yield f"none of {len(replayed)} evaluations came out the same"


def _render_differences(differences: Sequence[Disagreement]) -> Iterator[str]:
    for one in differences[:_MOST_DIFFERENCES]:
        where = f"sample {one.id}: " if one.id else ""
        yield f"      {where}{one.what} is {one.recorded} on record, and {one.found} again"
    if (more := len(differences) - _MOST_DIFFERENCES) > 0:
        yield f"      and {more} more"


def _render_second_run(second: SecondRun) -> Iterator[str]:
    for one in _first(second.compared):
        yield f"  {_judge(one):<8}  {one.name}  {_describe(one)}"
        if one.accepted:
            yield f"      the result on record {one.accepted}"
        for item in one.differences[:_MOST_DIFFERENCES]:
            yield f"      {item.id}: {_show(item.recorded)} on record, {_show(item.again)} again"
        if (more := len(one.differences) - _MOST_DIFFERENCES) > 0:
            yield f"      and {more} more"
    yield from _count_more(second.compared)
    agreed = sum(one.agrees for one in second.compared)
    yield (
        f"{agreed} of {len(second.compared)} evaluations agree within sampling error "
        f"(alpha {second.alpha:.3g}, by Holm's method)"
    )


def _judge(one: ComparedEvaluation) -> str:
    return "FAILED" if one.has_failed else "agrees" if one.agrees else "DIFFERS"


def _describe(one: ComparedEvaluation) -> str:
    if one.comparison is None:
        return one.note
    told = f"{one.metric} {_show(one.recorded)} on record, {_show(one.again)} again"
    difference = one.comparison.difference
    if one.items and not one.differences:
        told += f"; equal item by item ({one.items})"
    if difference is None or difference.p is None:
        return f"{told}; no test{f': {one.note}' if one.note else ''}"
    told += f"; {_name_test(one.comparison)}: adjusted p {_show_p(one.comparison.p_holm)}"
    return f"{told}; {one.note}" if one.note else told


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _name_test(comparison: RowComparison) -> str:
    test = comparison.difference.test if comparison.difference else "none"
    return test if comparison.paired else f"{test} (unpaired)"


def _show_p(p: float | None) -> str:
    return "unknown" if p is None else "< 0.0001" if p < 0.0001 else f"= {p:.4f}"


def _first(rows: Sequence[_Row]) -> Sequence[_Row]:
    """The first evaluations: the output is for one screen."""
    return rows[:_MOST_EVALUATIONS]


def _count_more(rows: Sequence[object]) -> Iterator[str]:
    if (more := len(rows) - _MOST_EVALUATIONS) > 0:
        yield f"  and {more} more"


def _replay_to_json(one: ReplayedEvaluation) -> dict[str, Any]:
    return {
        "evaluation": one.name,
        "agrees": one.agrees,
        "samples": one.samples,
        "scores": dict(one.scores),
        "differences": [
            {"id": row.id or None, "what": row.what, "recorded": row.recorded, "again": row.found}
            for row in one.differences
        ],
        "why_not": one.why_not,
    }


def _comparison_to_json(one: ComparedEvaluation) -> dict[str, Any]:
    comparison = one.comparison
    return {
        "evaluation": one.name,
        "metric": one.metric,
        "recorded": one.recorded,
        "again": one.again,
        "agrees": one.agrees,
        "failed": one.has_failed,
        "test": _name_test(comparison) if comparison else None,
        "p": comparison.p if comparison else None,
        "p_holm": comparison.p_holm if comparison else None,
        "items": one.items,
        "differences": [{"id": row.id, "recorded": row.recorded, "again": row.again} for row in one.differences],
        "note": one.note,
        "accepted": one.accepted,
    }
