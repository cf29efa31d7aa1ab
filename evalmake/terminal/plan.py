"""A plan as text: what would run and why. Cells with the same reason share a line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evalmake.planner.digest import describe_change
from evalmake.planner.node_prices import find_prices
from evalmake.planner.plan import Plan, ReportDecision
from evalmake.planner.staleness import ActionHistory, Decision, Reason
from evalmake.scoring.cost import expect_cost, format_cost
from evalmake.terminal.tables import wrap_row, wrap_text

_SYMBOLS = {
    "never-run": "+",
    "changed": "~",
    "upstream": "~",
    "too-old": "~",
    "output-missing": "~",
    "forced": "~",
}
_MOST_NAMES = 8  # in braces; of more, one fewer is shown, and how many there are


def render_plan(
    plan: Plan,
    estimate: Mapping[str, ActionHistory] | None = None,
    requirements: Sequence[str] = (),
    columns: int | None = None,
) -> str:
    """The preview that `-n` prints, wrapped to `columns`; `requirements` are lines from `render_requirements`."""
    rows = [(_symbol(decision.reasons), _render_names(names, plan), why) for decision, names, why in _group(plan)]
    width = max((len(name) for _, name, _ in rows), default=0)
    fresh = sum(not decision.stale for decision in plan.decisions.values())
    lines = [wrap_row(f"  {symbol} {name:<{width}}   ", why, columns) for symbol, name, why in rows]
    if fresh:
        lines.append(f"  = {fresh} up to date")
    for report in plan.reports.values():
        if report.must_write:
            symbol = "+" if report.is_new else "~"
            lines.append(wrap_row(f"  {symbol} {report.name:<{width}}   ", _report_reason(report), columns))
    lines += [""] if lines else []
    notes = [summarise_plan(plan), _render_estimate(plan, estimate or {}), *requirements]
    return "\n".join([*lines, *(wrap_text(note, columns) for note in notes if note)])


def render_requirements(
    unpinned: Sequence[str],
    unset: Sequence[str],
    unmet: Mapping[str, Sequence[str]],
    asked: Mapping[str, Sequence[str]],
) -> list[str]:
    """Lines for inputs that are not pinned, secrets without a value, what benchmarks lack, and whom else they ask."""
    lines = [f"unpinned: {_first(unpinned, 2)}; `evalmake pin` locks them"] if unpinned else []
    if unset:
        lines.append(f"unset: {', '.join(unset)}; `export NAME=...`, or `keyring set evalmake NAME`")
    lines += [f"unmet: {what}, required by {_first(names, 3)}" for what, names in unmet.items()]
    return lines + [f"past the gateway: {whom}, asked by {_first(names, 3)}" for whom, names in asked.items()]


def _first(names: Sequence[str], most: int) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def summarise_plan(plan: Plan) -> str:
    """One line: what would run where, what is reused, and the plan's digest."""
    stale = plan.stale
    places = Counter((node.executor, node.replies is not None) for node in stale)
    parts = [
        f"{count} to {'score again' if is_stored else 'run'} on {place}" for (place, is_stored), count in places.items()
    ] or ["nothing to run"]
    servers = {name for node in stale for name in node.services}
    if servers:
        parts.append(f"{len(servers)} server{'s' * (len(servers) > 1)} to start")
    reused = len(plan.decisions) - len(stale)
    if reused:
        parts.append(f"{reused} to reuse")
    reports = sum(report.must_write for report in plan.reports.values())
    if reports:
        parts.append(f"{reports} report{'s' * (reports > 1)} to write")
    return f"{', '.join(parts)}; plan {plan.digest[:15]}"


def _group(plan: Plan) -> Iterable[tuple[Decision, list[str], str]]:
    """Stale cells that differ in the last step of their path only and have one reason."""
    groups: dict[tuple[str, str], tuple[Decision, list[str], str]] = {}
    for decision in plan.decisions.values():
        if decision.stale:
            why = describe_run(decision, _summarize_reasons(decision.reasons))
            stem = decision.name.rpartition("/")[0] or decision.name  # evals without axes have no path in common
            groups.setdefault((stem, why), (decision, [], why))[1].append(decision.name)
    return groups.values()


def _render_names(names: Sequence[str], plan: Plan) -> str:
    """`grid/a/gsm8k/1..3` for neighbours, `.../*` for all of many, `.../{1,3,9}` for others: all are targets."""
    if len(names) == 1:
        return names[0]
    stem, slash, _ = names[0].rpartition("/")
    stem += slash
    lasts = [name.rpartition("/")[2] for name in names]
    if all(last.isdigit() for last in lasts):
        numbers = [int(last) for last in lasts]
        if all(number - numbers[0] == place for place, number in enumerate(numbers)):
            return f"{stem}{numbers[0]}..{numbers[-1]}"
    if len(lasts) <= _MOST_NAMES:
        return f"{stem}{{{','.join(lasts)}}}"
    axes = plan.graph.nodes[names[0]].evaluation.variant.eval.axes
    if axes and len(lasts) == len(axes[-1].values):
        return f"{stem}*"
    return f"{stem}{{{','.join(lasts[: _MOST_NAMES - 1])},... {len(lasts)} in all}}"


def describe_run(decision: Decision, why: str) -> str:
    """Why a target runs, and whether it scores stored replies again, or why it asks although only scoring changed."""
    if decision.replies is not None:
        return f"{why}: score again, {decision.replies.count} stored replies"
    return f"{why}: ask and score, as {decision.asks}" if decision.asks else why


def _symbol(reasons: Sequence[Reason]) -> str:
    return _SYMBOLS.get(reasons[0].kind, "!")


def _summarize_reasons(reasons: Sequence[Reason]) -> str:
    """The reasons in a line for several cells; without moments, which differ from cell to cell."""
    return "result older than max_age" if reasons[0].kind == "too-old" else render_reasons(reasons)


def render_reasons(reasons: Sequence[Reason]) -> str:
    """One line for all reasons; the first two differences in full."""
    first = reasons[0]
    match first.kind:
        case "never-run":
            return "never run"
        case "changed":
            return _render_changes(reasons)
        case "failed":
            return f"failed last time: {first.subject}"
        case "cancelled":
            return "was cancelled last time"
        case "forced":
            return "one more attempt, because of -B"
        case "too-old":
            return f"its result of {(first.before or '')[:16].replace('T', ' ')} is older than max_age"
    return first.subject


def _render_changes(reasons: Sequence[Reason]) -> str:
    shown = [
        ": ".join(describe_change(reason.subject, reason.before, reason.now))
        if reason.before or reason.now
        else reason.subject
        for reason in reasons[:2]
    ]
    rest = [f"and {len(reasons) - 2} more"] if len(reasons) > 2 else []
    return ", ".join(shown + rest)


def _report_reason(report: ReportDecision) -> str:
    if report.stale:
        return f"{report.stale} of its {report.total} results will change"
    if report.is_new:
        return "never written"
    first = report.reasons[0]
    return first.subject if first.kind == "output-missing" else f"{first.subject} have changed"


def _render_estimate(plan: Plan, similar: Mapping[str, ActionHistory]) -> str:
    """Time and tokens by past runs of the same model and benchmark, where there are any."""
    heads = list(similar.values())
    if not heads:
        return ""
    seconds = sum(head.seconds for head in heads)
    tokens = sum(int(head.usage.get("tokens_in", 0) + head.usage.get("tokens_out", 0)) for head in heads)
    covered = f"{len(heads)} of {len(plan.stale)}" if len(heads) < len(plan.stale) else "all"
    text = f"by past runs of {covered}: about {render_duration(seconds)} of work"
    parts = [text, f"{tokens} tokens"] if tokens else [text]
    usages = ((head.usage, find_prices(plan.graph, plan.graph.nodes[name])) for name, head in similar.items())
    cost: defaultdict[str, float] = defaultdict(float)
    for usage, prices in usages:
        for currency, amount in expect_cost(usage, prices).items():
            cost[currency] += amount
    return ", ".join([*parts, format_cost(cost)] if cost else parts)


def render_duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3m20s`, `2h05m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m{int(seconds % 60):02d}s"
    return f"{int(seconds // 3600)}h{int(seconds % 3600 // 60):02d}m"
