"""What `evalmake compare` prints: who is compared, what differs, each benchmark with its verdict, and the flips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalmake.comparison.compare import Comparison
from evalmake.comparison.flips import Flip
from evalmake.language.plural import count_of
from evalmake.planner.digest import Change, describe_change
from evalmake.scoring.benchmark_change import SAME, BenchmarkChange
from evalmake.scoring.numbers import count_decimals, format_number, format_percent
from evalmake.scoring.verdict import Verdict, format_p
from evalmake.terminal.safe_text import clean_line
from evalmake.terminal.tables import align_columns, wrap_row, wrap_text

_MOST_CHANGES = 12
_NARROWEST = 40
_VERBS = {
    Verdict.REGRESSION: "worse",
    Verdict.INCONCLUSIVE: "not decided",
    Verdict.IMPROVEMENT: "better",
    Verdict.PASS: "passed",
}


def render_comparison(comparison: Comparison, columns: int | None = None, most_flips: int = 0) -> str:
    """The whole text, wrapped to `columns`; so many flips of each benchmark, all of them for 0."""
    parts = ["\n".join(_render_head(comparison, columns)), "\n".join(_render_benchmarks(comparison, columns))]
    parts += list(_render_flips(comparison, columns, most_flips))
    parts.append(wrap_text(summarize(comparison), columns))
    return "\n\n".join(parts)


def summarize(comparison: Comparison) -> str:
    """ "REGRESSION: 1 benchmark worse, 2 passed (95% intervals)"."""
    verdicts = [one.judgement.verdict for one in comparison.found.changes]
    counts = [(sum(one is verdict for one in verdicts), word) for verdict, word in _VERBS.items()]
    told = [f"{count} {word}" for count, word in counts if count]
    told[0] = f"{told[0].split()[0]} benchmark{'s' * (not told[0].startswith('1 '))} {told[0].partition(' ')[2]}"
    margin = f", margin {comparison.found.margin}" if comparison.found.margin.value else ""
    confidence = format_percent(comparison.found.confidence)
    return f"{comparison.found.verdict}: {', '.join(told)} ({confidence} intervals{margin})"


def describe_changes(changes: Sequence[Change]) -> list[tuple[str, str]]:
    """What differs and how, for people: `params.temperature` and `0.0 -> 0.7`; a list that is not too long."""
    told = [describe_change(change.path, change.before, change.now) for change in changes[:_MOST_CHANGES]]
    left = len(changes) - _MOST_CHANGES
    return [*told, *([(f"and {left} more", "")] if left > 0 else [])]


def describe_score(change: BenchmarkChange, is_after: bool) -> str:
    """A score as the table shows it."""
    mean = (change.after if is_after else change.before).mean
    return "-" if mean is None else format_number(mean)


def describe_difference(change: BenchmarkChange) -> str:
    """ "-0.052 [-0.111, +0.006]"; a dash without one."""
    found = change.comparison.difference
    if found is None:
        return "same" if change.judgement.verdict is Verdict.PASS else "-"
    low, high = found.interval or (None, None)
    digits = 3 if low is None or high is None else max(3, count_decimals((high - low) / 2))
    mean = format_number(found.mean, digits, "+")
    if low is None or high is None:
        return mean
    return f"{mean} [{format_number(low, digits, '+')}, {format_number(high, digits, '+')}]"


def describe_count(change: BenchmarkChange) -> str:
    """How many items are compared: "400", or of both sides "400/380" where they are not the same."""
    found = change.comparison
    if found.paired and found.difference:
        return str(found.difference.n)
    counts = [str(side.samples or "-") for side in (change.before, change.after)]
    return counts[0] if found.difference is None and counts[0] == counts[1] else "/".join(counts)


def explain(change: BenchmarkChange) -> list[str]:
    """Sentences on one benchmark: the verdict with its reason, wins and losses, and what a reader must know."""
    found, judgement = change.comparison, change.judgement
    if judgement.reason == SAME:
        return []
    told = [f"{judgement.verdict}: {judgement.reason}"]
    if judgement.size:
        told.append(_describe_size(change))
    elif judgement.verdict is Verdict.INCONCLUSIVE and found.outcomes and found.difference:
        told.append("no number of items would show so small a difference: name a margin, such as --margin 1%")
    if found.outcomes:
        told.append(_describe_outcomes(change))
    if found.difference and not found.paired:
        told.append(f"not paired, by {found.difference.test}: {found.note}")
    if found.paired and found.dropped:
        told.append(f"{count_of(found.dropped, 'item')} that only one side has, or has scored, left out")
    for name, side in (("A", change.before), ("B", change.after)):
        told += [f"{name}: {note.text}" for note in side.notes]
    return told


def _describe_size(change: BenchmarkChange) -> str:
    size = change.judgement.size
    assert size is not None
    times = f"{size.times:,.0f}" if size.times >= 10 else f"{size.times:.2g}"
    if size.power == 1.0:
        return f"estimate: {size.items:,} items ({times} times as many) would decide, if none differs"
    if change.comparison.paired:
        how_many = f"{size.items:,} items ({times} times as many)"
    else:
        how_many = f"{times} times as many items on both sides"
    effect = format_number(size.effect, 3, "+")
    power = format_percent(size.power)
    return f"estimate: {how_many} would decide with a power of {power}, if the true difference is {effect}"


def _describe_outcomes(change: BenchmarkChange) -> str:
    """ "61 wins, 82 losses, 257 ties"."""
    outcomes, found = change.comparison.outcomes, change.comparison
    assert outcomes is not None
    wins, losses = outcomes.higher, outcomes.lower
    if change.kind.better == "lower":
        wins, losses = losses, wins
    test = f" (paired, by {found.difference.test})" if found.difference else ""
    return f"{count_of(wins, 'win')}, {count_of(losses, 'loss', 'losses')}, {count_of(outcomes.same, 'tie')}{test}"


def _render_head(comparison: Comparison, columns: int | None) -> Iterator[str]:
    """The two sides, and in what their definitions differ."""
    for letter, side in (("A", comparison.before), ("B", comparison.after)):
        yield wrap_row(f"{letter}  ", clean_line(side.name), columns)
        yield from (wrap_row("   ", clean_line(note), columns) for note in side.notes)
    differences = comparison.differences
    if differences.shared:
        yield "differ in"
        yield from _render_changes(differences.shared, "   ", columns)
    elif not differences.own:
        yield f"their definitions are the same{', but for the seed' if differences.of_seeds else ''}"
    for changes, labels in differences.grouped().items():
        names = ", ".join(map(clean_line, labels))
        yield wrap_text(f"{'differ besides' if differences.shared else 'differ'}, for {names}, in", columns)
        yield from _render_changes(changes, "   ", columns)


def _render_changes(changes: Sequence[Change], indent: str, columns: int | None) -> Iterator[str]:
    rows = [(clean_line(name), clean_line(how)) for name, how in describe_changes(changes)]
    width = max(len(name) for name, how in rows if how) if any(how for _, how in rows) else 0
    for name, how in rows:
        yield wrap_row(f"{indent}{name:<{width}}  ", how, columns) if how else f"{indent}{name}"


def _render_benchmarks(comparison: Comparison, columns: int | None) -> Iterator[str]:
    """The table, in which the sentences on each benchmark stand below its line.

    Where names make it wider than `columns`, each stands above its numbers: a terminal would break these.
    """
    changes = comparison.found.changes
    adjusted = any(one.comparison.compared > 1 for one in changes)
    head = ("benchmark", "n", "A", "B", "B - A", "p", *(("adjusted p",) if adjusted else ()))
    rows = [head, *(_make_row(one, adjusted) for one in changes)]
    lines = _align_numbers(rows)
    is_too_wide = columns is not None and max(map(len, lines)) > columns
    if is_too_wide:
        lines = _align_numbers([("benchmark" if row is head else "", *row[1:]) for row in rows])
    yield lines[0]
    for line, one in zip(lines[1:], changes, strict=True):
        if is_too_wide:
            yield clean_line(one.benchmark)
        yield line
        told = [*explain(one), *comparison.notes.get(one.benchmark, ())]
        yield from (wrap_row("  ", clean_line(text), columns) for text in told)
    for name, labels in (("A", comparison.only_before), ("B", comparison.only_after)):
        if labels:
            yield wrap_text(f"not compared, as only {name} has it: {', '.join(map(clean_line, labels))}", columns)


def _make_row(one: BenchmarkChange, adjusted: bool) -> tuple[str, ...]:
    found = one.comparison
    name = clean_line(one.benchmark)
    scores = (describe_score(one, False), describe_score(one, True))
    p = (format_p(found.p), *((format_p(found.p_holm),) if adjusted else ()))
    return (name, describe_count(one), *scores, describe_difference(one), *p)


def _align_numbers(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their first column to the left, and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[row[0], *(f"{text:>{width}}" for text, width in zip(row[1:], widths[1:], strict=True))] for row in rows]
    return align_columns(padded)


def _render_flips(comparison: Comparison, columns: int | None, most: int) -> Iterator[str]:
    for label, flips in comparison.flips.items():
        shown = _choose_flips(flips, most)
        worse = sum(flip.is_worse for flip in flips)
        lines = [f"{clean_line(label)}: {worse} worse, {len(flips) - worse} better"]
        for flip in shown:
            lines += _render_flip(flip, columns)
        if left := len(flips) - len(shown):
            lines.append(f"  and {left} more: `--most 0` shows all")
        yield "\n".join(lines)


def _choose_flips(flips: Sequence[Flip], most: int) -> list[Flip]:
    """All, or so many in all, of which the worse ones come first."""
    return list(flips[:most] if most else flips)


def _render_flip(flip: Flip, columns: int | None) -> list[str]:
    word = "worse " if flip.is_worse else "better"
    head = f"  {word}  {clean_line(flip.id)}  {format_number(flip.before, 2)} -> {format_number(flip.after, 2)}"
    texts = [("prompt", flip.prompt), ("target", flip.target), ("A", flip.reply_before), ("B", flip.reply_after)]
    width = max(_NARROWEST, columns or 200) - 14
    return [head, *(f"    {name:<6}  {_crop(text, width)}" for name, text in texts if text is not None and text != "")]


def _crop(text: str, width: int) -> str:
    """A text on one line, without its middle where it is too long: the answer often stands at the end."""
    line = clean_line(" ".join(text.split()))
    if len(line) <= width:
        return line
    tail = (width - 5) // 2
    return f"{line[: width - 5 - tail]} ... {line[-tail:]}"
