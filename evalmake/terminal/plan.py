"""A plan as text: what would run and why, cells with one reason grouped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from evalmake.planner.digest import describe_text
from evalmake.planner.plan import Plan, ReportDecision
from evalmake.planner.staleness import ActionHistory, Decision, Reason

_SYMBOLS = {
    "never-run": "+",
    "changed": "~",
    "upstream": "~",
    "too-old": "~",
    "output-missing": "~",
    "forced": "~",
}


def render_plan(
    plan: Plan,
    estimate: Mapping[str, ActionHistory] | None = None,
    unfolded: bool = False,
    needs: Sequence[str] = (),
) -> str:
    """The preview that `-n` prints; `needs` are lines of what it rests on."""
    rows = [(_symbol(d.reasons), _names(group), why) for d, group, why in _groups(plan, unfolded)]
    fresh = sum(not d.stale for d in plan.decisions.values())
    width = max((len(name) for _, name, _ in rows), default=0)
    lines = [f"  {symbol} {name:<{width}}   {why}".rstrip() for symbol, name, why in rows]
    if fresh:
        lines.append(f"  = {fresh} up to date")
    for report in plan.reports.values():
        if report.must_write:
            lines.append(f"  {_report_symbol(report)} {report.name:<{width}}   {_report_why(report)}".rstrip())
    lines += ["", summary(plan)] if lines else [summary(plan)]
    if estimate and (text := _estimate(plan, estimate)):
        lines.append(text)
    return "\n".join([*lines, *needs])


def render_needs(unpinned: Sequence[str], unset: Sequence[str], unmet: Mapping[str, Sequence[str]]) -> list[str]:
    """What could mean another thing tomorrow, secrets without a value, and what benchmarks lack."""
    lines = [f"unpinned: {_first(unpinned, 2)}; `evalmake pin` locks them"] if unpinned else []
    if unset:
        lines.append(f"unset: {', '.join(unset)}; `export NAME=...`, or `keyring set evalmake NAME`")
    return lines + [f"unmet: {lack}, required by {_first(names, 3)}" for lack, names in unmet.items()]


def _first(names: Sequence[str], shown: int) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def summary(plan: Plan) -> str:
    """What would run where, and what is reused, in one line."""
    stale = plan.stale
    places = Counter(node.evaluation.variant.block.executor for node in stale)
    parts = [f"{count} to run on {place}" for place, count in places.items()] or ["nothing to run"]
    servers = {name for node in stale for name in node.services}
    if servers:
        parts.append(f"{len(servers)} server{'s' * (len(servers) > 1)} to start")
    reuse = len(plan.decisions) - len(stale)
    if reuse:
        parts.append(f"{reuse} to reuse")
    writes = sum(report.must_write for report in plan.reports.values())
    if writes:
        parts.append(f"{writes} report{'s' * (writes > 1)} to write")
    return f"{', '.join(parts)}; plan {plan.digest[:15]}"


def _groups(plan: Plan, unfolded: bool) -> Iterable[tuple[Decision, list[str], str]]:
    groups: dict[tuple[str, str], tuple[Decision, list[str], str]] = {}
    for decision in plan.decisions.values():
        if not decision.stale:
            continue
        why = reasons_text(decision.reasons)
        stem = decision.name if unfolded else decision.name.rpartition("/")[0]
        groups.setdefault((stem, why), (decision, [], why))[1].append(decision.name)
    return groups.values()


def _names(names: Sequence[str]) -> str:
    """`grid/a/gsm8k/1..3` for neighbours, `.../{1,3,9}` for others."""
    if len(names) == 1:
        return names[0]
    stem = names[0].rpartition("/")[0]
    lasts = [name.rpartition("/")[2] for name in names]
    if all(last.isdigit() for last in lasts):
        numbers = [int(last) for last in lasts]
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return f"{stem}/{numbers[0]}..{numbers[-1]}"
    shown = ",".join(lasts) if len(lasts) <= 8 else f"{','.join(lasts[:7])},... {len(lasts)} in all"
    return f"{stem}/{{{shown}}}"


def _symbol(reasons: Sequence[Reason]) -> str:
    return _SYMBOLS.get(reasons[0].kind, "!")


def reasons_text(reasons: Sequence[Reason]) -> str:
    """One line for all reasons; the first two differences in full."""
    first = reasons[0]
    match first.kind:
        case "never-run":
            return "never run"
        case "changed":
            shown = [
                f"{r.subject}: {describe_text(r.before)} -> {describe_text(r.now)}" if r.before or r.now else r.subject
                for r in reasons[:2]
            ]
            more = [f"and {len(reasons) - 2} more"] if len(reasons) > 2 else []
            return ", ".join(shown + more)
        case "failed":
            return f"failed last time: {first.subject}"
        case "cancelled":
            return "was cancelled last time"
        case "forced":
            return "one more attempt, because of -B"
        case "too-old":
            return f"its result of {(first.before or '')[:16].replace('T', ' ')} is older than max_age"
    return first.subject


def _report_symbol(report: ReportDecision) -> str:
    if report.stale == report.total or (report.reasons and report.reasons[0].kind == "never-run"):
        return "+"
    return "~"


def _report_why(report: ReportDecision) -> str:
    if report.stale:
        return f"{report.stale} of its {report.total} results are to change"
    first = report.reasons[0]
    if first.kind == "never-run":
        return "never written"
    return first.subject if first.kind == "output-missing" else f"{first.subject} have changed"


def _estimate(plan: Plan, like: Mapping[str, ActionHistory]) -> str:
    """Time and tokens by past runs of the same model and benchmark, where there are any."""
    heads = list(like.values())
    if not heads:
        return ""
    seconds = sum(head.seconds for head in heads)
    tokens = sum(int(h.usage.get("tokens_in", 0) + h.usage.get("tokens_out", 0)) for h in heads)
    known = f"{len(heads)} of {len(plan.stale)}" if len(heads) < len(plan.stale) else "all"
    text = f"by past runs of {known}: about {duration(seconds)} of work"
    return f"{text}, {tokens} tokens" if tokens else text


def duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3m20s`, `2h05m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m{int(seconds % 60):02d}s"
    return f"{int(seconds // 3600)}h{int(seconds % 3600 // 60):02d}m"
