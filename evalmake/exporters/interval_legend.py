"""What the intervals, averages and tests of a scorecard are, in sentences below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from evalmake.language.markdown_text import escape
from evalmake.project.column_groups import GroupForm
from evalmake.scoring.comparisons import Test
from evalmake.scoring.group_average import find_group_columns
from evalmake.scoring.intervals import Basis
from evalmake.scoring.numbers import format_percent
from evalmake.scoring.result_set import ResultSet, ScoreTable

BASES: dict[Basis, str] = {
    "proportion": (
        "Scores of 0 and 1 have Wilson's interval. Over several seeds, or with clusters, its sample size is the"
        " effective one, p(1 - p)/SE², and t stands for z."
    ),
    "bounded": (
        "Other scores from 0 to 1 have Wilson's interval, too, at the size of a sample of zeros and ones that would"
        " vary as much."
    ),
    "mean": "Other scores have Student's t interval, mean ± t·SE.",
    "runs": (
        '"(runs only)": the harness reported no standard error. The interval is Student\'s t over the runs, cut'
        " off at 0 and 1 for values from 0 to 1. It covers the spread of the runs, and not the choice of items."
    ),
    "anytime": (
        "Where asking stopped as soon as enough was known, the interval is a confidence sequence by betting"
        " (Waudby-Smith and Ramdas 2024): it holds wherever asking stops, and is wider for it."
    ),
    "none": "A score without an interval: nothing tells how far it may be off. A note below its table says why.",
}
AVERAGE = (
    "The average counts each column the same. Its interval squares and adds those of the columns, which are given, not"
    " drawn. A row has none if it lacks a column, or if a score is not from 0 to 1 and so on a scale of its own."
)
GROUPS: dict[GroupForm, str] = {
    "average": "{names}: the average of {columns}.",
    "pooled": "{names}: the average of all items of {columns}: each column weighs as much as it has items.",
    "best": (
        "{names}: the best of {columns}, for each row. Luck helps to be the best, so the number is too good on average."
        " The interval holds the best true score: it has the best lower and the best upper end of the columns'"
        " intervals, each at the confidence 1 - α/{count} (Bonferroni)."
    ),
}
SHARED = (
    "Columns that ask the same items are not independent: each item, or cluster of items, counts once, by the"
    " correlation of what it adds to the columns."
)
PAIRED = (
    "A difference is the row minus the baseline, over the items that both have. An item's scores are averaged over its"
    ' runs first. Interval and p are of one procedure, named in the column "test".'
)
TESTS: dict[Test, str] = {
    "Tango": "Tango: scores of 0 and 1 of the same items; Tango's score interval and its test.",
    "rule of three": (
        "rule of three: no item differs. The share of items that differ is below 1 - α^(1/n), and so is the difference."
    ),
    "t": "t: other scores of the same items, such as means over seeds; Student's t of the item differences.",
    "clustered t": (
        "clustered t: other scores of the same items, in clusters; rows that repeat a question are one. Student's t of"
        " the item differences, with a cluster-robust error."
    ),
    "Newcombe": (
        "Newcombe: scores from 0 to 1 of different items, not paired; p is the α at which the interval touches 0."
    ),
    "Welch": "Welch: other means of different items, not paired; Welch's t.",
}
HOLM = (
    "p (Holm) is adjusted by Holm's method for the {count} comparisons of this report. The verdict rests on it:"
    " significant below {alpha:.4g}. The interval is that of the comparison alone."
)


def explain_intervals(results: ResultSet, table: ScoreTable) -> str:
    """A line for each kind of interval, average and test in the report."""
    pooled = [cell.average for cell in (*table.cells.values(), *table.others)]
    used = {value.basis for value in pooled if value.mean is not None}
    tests = {one.difference.test for one in results.row_comparisons if one.difference}
    if not used:
        return ""
    lines = [f"Brackets hold {format_percent(results.confidence)} confidence intervals, unless they say otherwise."]
    if any(value.runs > 1 for value in pooled):
        runs = sorted({value.runs for value in pooled if value.runs})
        lines.append(
            f"Each value of the tables is the mean of {' to '.join(map(str, _first_and_last(runs)))} runs that"
            " differ only in their seed. The runs ask the same items, so these are not counted as new items: an"
            " item's scores are averaged over its runs, and SE = sd of the item means / √items."
        )
    lines += [text for basis, text in BASES.items() if basis in used]
    if any(value.reported_by for value in pooled):
        lines.append('"as reported by": the harness left no samples, so mean and error are its own.')
    lines += _explain_groups(results, table)
    if any(one.difference for one in results.row_comparisons):
        lines.append(PAIRED)
        lines += [text for test, text in TESTS.items() if test in tests]
        count = max(one.compared for one in results.row_comparisons)
        lines.append(HOLM.format(count=count, alpha=1 - results.confidence))
    return "\n".join(f"- {line}" for line in lines)


def _explain_groups(results: ResultSet, table: ScoreTable) -> Iterator[str]:
    """What the columns over others are."""
    for group in results.groups:
        weights = find_group_columns(group, table.columns)
        if group.form != "average" or group.weights is not None:
            yield GROUPS[group.form].format(
                names=escape(group.name), columns=_list_columns(weights), count=len(weights)
            )
    if any(group.form == "average" for group in results.groups):
        weighted = any(len({*(group.weights or {}).values()}) > 1 for group in results.groups)
        yield AVERAGE.replace("each column the same", "each column by its weight") if weighted else AVERAGE
    if any(note.code == "shared" for cell in table.averages.values() for note in cell.average.notes):
        yield SHARED


def _list_columns(weights: Mapping[str, float]) -> str:
    """`a, b and c`; with the weights `a (2), b (1)` where they differ."""
    plain = len({*weights.values()}) < 2
    return ", ".join(escape(name if plain else f"{name} ({weight:g})") for name, weight in weights.items())


def _first_and_last(ordered: Sequence[int]) -> Iterable[int]:
    return dict.fromkeys((ordered[0], ordered[-1]))
