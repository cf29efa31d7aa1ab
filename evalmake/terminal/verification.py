"""What `evalmake verify EVIDENCE` prints: one line for each check, then what the evidence says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from evalmake.evidence_checks.findings import Check, State, count
from evalmake.evidence_checks.verify import VerifiedEvidence
from evalmake.scoring.numbers import format_estimate
from evalmake.terminal.safe_text import clean_line
from evalmake.terminal.tables import align_columns

_MOST_DETAILS = 10
_MOST_ROWS = 20
_LONGEST = 300
_LAST_WORDS = {
    0: "it holds",
    1: "nothing is wrong, but not all of it could be checked here",
    2: "it does not hold",
}


def render_verification(found: VerifiedEvidence) -> str:
    """Return the text of all checks and the scores."""
    lines = [_describe(found), ""]
    for check in found.findings.checks:
        lines += _render_check(check)
    lines += ["", *_render_scores(found), *_render_sample(found)]
    return "\n".join([*lines, f"{found.path}: {_LAST_WORDS[found.findings.status]}"])


def verification_to_json(found: VerifiedEvidence) -> dict[str, Any]:
    """Return the same for programs."""
    checks = [
        {"subject": one.subject, "state": str(one.state), "message": one.message, "details": list(one.details)}
        for one in found.findings.checks
    ]
    return {
        "format": "evalmake-verification",
        "version": 1,
        "evidence": str(found.path),
        "status": found.findings.status,
        "checks": checks,
        "scores": list(_list_scores(found)),
        "sample": dict(found.sample),
    }


def _describe(found: VerifiedEvidence) -> str:
    try:
        definition, run = found.predicate["buildDefinition"], found.predicate["runDetails"]
        report, version = definition["externalParameters"]["report"], run["builder"]["version"]["evalmake"]
        times = [str(run["metadata"][key])[:16].replace("T", " ") for key in ("startedOn", "finishedOn")]
    except (KeyError, TypeError):
        return f"{found.path}"
    return clean_line(f"{found.path}: report {report}, run from {times[0]} to {times[1]} UTC by evalmake {version}")


def _render_check(check: Check) -> Iterator[str]:
    mark = check.state.upper() if check.state is State.FAILS else check.state
    yield f"  {mark:<10} {check.subject:<11} {clean_line(check.message)}"
    shown = check.details[:_MOST_DETAILS]
    for detail in shown:
        yield f"  {'':<10} {'':<11} {clean_line(detail)}"
    if more := len(check.details) - len(shown):
        yield f"  {'':<10} {'':<11} and {more} more"


def _render_scores(found: VerifiedEvidence) -> Iterator[str]:
    """What the evidence says, by its records: the scores over all seeds, and the gates."""
    if found.results is None or not found.results.results:
        return
    rows = [
        (
            *map(clean_line, (cell.row, cell.column, cell.metric)),
            format_estimate(cell.average.mean, cell.average.low, cell.average.high),
        )
        for cell in found.results.table().cells.values()
    ]
    yield from (f"  {line}" for line in align_columns(rows[:_MOST_ROWS]))
    if (more := len(rows) - _MOST_ROWS) > 0:
        yield f"  and {more} more"
    for met, text in ((True, "met"), (False, "NOT met"), (None, "NOT judged")):
        if number := sum(gate.met is met for gate in found.results.gates):
            yield f"  {count(number, 'gate')} {text}"
    yield ""


def _render_sample(found: VerifiedEvidence) -> Iterator[str]:
    """The fields of a disclosed sample, each on one line."""
    for name, value in found.sample.items() if not found.findings.has_failed else ():
        text = clean_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        yield f"  {clean_line(name):<13} {text[:_LONGEST]}{'...' if len(text) > _LONGEST else ''}"
    if found.sample:
        yield ""


def _list_scores(found: VerifiedEvidence) -> Iterator[dict[str, Any]]:
    """The headline scores, aggregated again."""
    for result in found.results.results if found.results else ():
        for score in found.results.estimate_scores(result) if found.results else ():
            if score.metric == result.metric:
                numbers = {"value": score.value, "low": score.low, "high": score.high}
                yield {"evaluation": result.name, "metric": score.metric, **numbers}
