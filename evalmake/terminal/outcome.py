"""The summary after a build: scores with intervals, gates, what ran and what was reused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from evalmake.gate_plan import PlannedGate
from evalmake.gate_verdicts import JudgedGate
from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.project.requirements import TIERS, Gate
from evalmake.scoring.cost import add_costs, describe_usage, read_cost
from evalmake.scoring.notes import Note
from evalmake.scoring.result_set import Result, ResultSet, machine_seconds
from evalmake.scoring.sample_counts import STORED_REPLIES
from evalmake.session import BuildOutcome
from evalmake.terminal.alike_failures import fold_failed_evaluations
from evalmake.terminal.display_path import display_path
from evalmake.terminal.plan import render_duration
from evalmake.terminal.score_lines import render_notes, render_scores
from evalmake.terminal.tables import wrap_text

_MOST_CELLS = 10  # that the block of one gate names, or a list of verdicts


def render_outcome(outcome: BuildOutcome, verbose: bool = False) -> str:
    """The text for stdout; `verbose` shows the scores though there was nothing to do."""
    done_before = outcome.plan.is_empty and not outcome.ran and not outcome.written
    parts = []
    if outcome.results and outcome.results.results and (verbose or not done_before):
        parts.append("\n".join([render_scores(outcome.results), *render_notes(outcome.results)]))
    if done_before:
        parts.append("\n".join([*render_revalidated(outcome), render_nothing_to_do(outcome).rstrip("\n")]))
    else:
        parts.append("\n".join([*render_revalidated(outcome), *render_summary(outcome)]))
    return "\n\n".join(part for part in parts if part) + "\n"


def render_nothing_to_do(outcome: BuildOutcome) -> str:
    """The line of a build that had nothing to do, with the number of gates that are not met or not judged."""
    count = len(outcome.plan.decisions)
    text = f"nothing to do: {count} evaluation{'s' * (count != 1)} up to date"
    failing = _count_gates(outcome, met=False)
    return f"{text}; {failing}\n" if failing else f"{text}\n"


def render_revalidated(outcome: BuildOutcome) -> list[str]:
    """A line for each result that is valid without a run, because less is demanded of it than before."""
    found = list(outcome.revalidated.items())
    lines = [f"judged anew: {name} is valid now; before, {reason}" for name, reason in found[:_MOST_CELLS]]
    return lines + [f"judged anew: and {len(found) - _MOST_CELLS} more"] * (len(found) > _MOST_CELLS)


def render_planned_gates(gates: Iterable[PlannedGate], columns: int | None) -> list[str]:
    """A line for each gate that will be judged: its cells, what it asks, and how it is judged."""
    return [wrap_text(f"gate {_join(one.addresses)}: {one.gate.text}; {one.how}", columns) for one in gates]


def _join(addresses: Sequence[str]) -> str:
    """`grid/a`, `grid/{a,b}`, or some and how many more there are."""
    stems = {address.rpartition("/")[0] for address in addresses}
    shown = addresses[:_MOST_CELLS]
    more = [f"... {len(addresses)} in all"] if len(addresses) > _MOST_CELLS else []
    if len(addresses) == 1 or len(stems) > 1 or "" in stems:
        return ", ".join([*shown, *more])
    return f"{stems.pop()}/{{{','.join([*(one.rpartition('/')[2] for one in shown), *more])}}}"


def _count_gates(outcome: BuildOutcome, met: bool) -> str:
    """`2 gates met, 1 not met, 1 advisory not judged`; without `met`, only the others; empty if there are none."""
    results = [verdict.result for verdict in outcome.gates]
    counts = Counter((result.tier, result.met) for result in results)
    shown = [(sum(result.met is True for result in results), "", "met")] if met and results else []
    for tier in TIERS:
        kind = "" if tier == "critical" else f" {tier}"
        shown += [(n, kind, "not met")] if (n := counts[tier, False]) else []
        shown += [(n, kind, "not judged")] if (n := counts[tier, None]) else []
    nouns = [f" gate{'s' * (shown[0][0] != 1)}", *[""] * len(shown)] if shown else []
    return ", ".join(f"{n}{kind}{noun} {word}" for (n, kind, word), noun in zip(shown, nouns, strict=False))


def collect_problems(outcome: BuildOutcome, folded: bool = True) -> list[Diagnostic]:
    """Return the problems, then a diagnostic for each gate that is not met or not judged.

    Evaluations that failed alike are told once, if `folded`.
    """
    problems = fold_failed_evaluations(outcome.problems, outcome.plan.graph.nodes) if folded else outcome.problems
    return [*problems, *collect_gate_problems(outcome.gates)]


def collect_gate_problems(verdicts: Iterable[JudgedGate]) -> list[Diagnostic]:
    """One diagnostic for each `require` that is not met, and for each that is not judged, over all its cells."""
    groups: dict[tuple[Gate, bool | None], list[JudgedGate]] = {}
    totals: Counter[Gate] = Counter()
    for verdict in verdicts:
        totals[verdict.gate] += 1
        if not verdict.result.met:
            groups.setdefault((verdict.gate, verdict.result.met), []).append(verdict)
    return [
        members[0].diagnostic if len(members) == 1 else _merge_verdicts(members, totals[gate])
        for (gate, _), members in groups.items()
    ]


def _merge_verdicts(verdicts: Sequence[JudgedGate], total: int) -> Diagnostic:
    """One diagnostic for the cells in which one gate has the same verdict."""
    first = verdicts[0]
    judged = first.result.met is not None
    gate = first.gate.text
    notes = [f"{verdict.result.address}: {verdict.result.message}" for verdict in verdicts[:_MOST_CELLS]]
    if len(verdicts) > _MOST_CELLS:
        notes.append(f"and {len(verdicts) - _MOST_CELLS} more")
    return make_diagnostic(
        first.diagnostic.code,
        f"`{gate}` is not {'met' if judged else 'judged'} in {len(verdicts)} of {total} cells",
        first.gate.span,
        "not met" if judged else "",
        about=first.diagnostic.about,
        severity=first.diagnostic.severity,
        notes=notes,
    )


def render_summary(outcome: BuildOutcome) -> list[str]:
    """Lines on gates, evaluations, machine time and reports."""
    lines = [text] if (text := _count_gates(outcome, met=True)) else []
    lines += [text] if (text := _count_evaluations(outcome)) else []
    lines += _render_machine_time(outcome)
    lines += _render_cost(outcome)
    if outcome.withdrawn:
        lines.append(f"{_count_reruns(outcome.withdrawn)} withdrawn: the earlier results count again")
    elif outcome.smoke_failed and not outcome.interrupted:
        lines.append("the smoke run failed: the build was not begun")
    elif outcome.interrupted:
        lines.append("interrupted: the same command goes on from here")
    if outcome.detached:
        lines.append(f"{outcome.detached} submitted: `evalmake status` shows them, `evalmake` collects them")
    lines += [f"wrote {display_path(path)}" for path in outcome.written]
    return lines


def _count_reruns(count: int) -> str:
    return f"{count} rerun{'s' * (count != 1)}"


def _count_evaluations(outcome: BuildOutcome) -> str:
    """`3 ran, 1 did not finish, 5 reused`, or `3 ran, 2 of them on stored replies`."""
    stale = outcome.plan.stale
    unfinished = len(stale) - len(outcome.ran) - outcome.detached
    reused = len(outcome.plan.decisions) - len(stale)
    # A detached build that only submitted has run nothing, and need not say so.
    ran_shown = outcome.ran or unfinished > 0 or reused or not outcome.detached
    texts = [f"{len(outcome.ran)} ran"] if ran_shown else []
    if scored_again := sum(bool(usage.get(STORED_REPLIES)) for usage in outcome.usages):
        texts.append(f"{scored_again} of them on stored replies")
    texts += [f"{unfinished} did not finish"] if unfinished > 0 else []
    texts += [f"{reused} reused"] if reused else []
    return ", ".join(texts)


def _render_machine_time(outcome: BuildOutcome) -> list[str]:
    """How long new results held machines of each shape, where that is known."""
    results = outcome.results.results if outcome.results else ()
    hours = machine_seconds(result for result in results if not result.reused).items()
    return [", ".join(f"{render_duration(seconds)} on {shape}" for shape, seconds in hours)] if hours else []


def _render_cost(outcome: BuildOutcome) -> list[str]:
    """What the build cost with all its attempts, where something has a price."""
    priced = any(read_cost(usage) for usage in outcome.usages)
    return [f"cost {describe_usage(outcome.usages)}"] if priced else []


def to_json(outcome: BuildOutcome) -> dict[str, Any]:
    """The end of a build for programs."""
    results = outcome.results
    notes = results.collect_notes() if results else {}
    return {
        "status": outcome.status,
        "plan": outcome.plan.digest,
        "ran": sorted(outcome.ran),
        **({"cost": cost} if (cost := add_costs(outcome.usages)) else {}),
        "results": [_result_to_json(result, results, notes[result.name]) for result in results.results]
        if results
        else [],
        "missing": list(results.missing) if results else [],
        "gates": [verdict.result.fields() for verdict in outcome.gates],
        "written": [str(path) for path in outcome.written],
    }


def _result_to_json(result: Result, results: ResultSet, notes: Sequence[Note]) -> dict[str, Any]:
    return {
        "name": result.name,
        "metric": result.metric,
        "scale": result.kind.scale,
        "better": result.kind.better,
        "confidence": results.confidence_of([result]),
        "scores": [asdict(score) for score in results.estimate_scores(result)],
        "notes": [asdict(note) for note in notes],
        "reused": result.reused,
    }
