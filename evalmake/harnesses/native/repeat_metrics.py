"""What several samples of each item say together, by a benchmark's keys: known before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.language.diagnostic import Diagnostics
from evalmake.project.matrix import Evaluation
from evalmake.scoring.repeated_samples import list_repeat_metrics

_VOTING = ("exact", "number", "math", "choice", "choices", "regex")
"""Scorers that read an answer out of a reply, so that the answers of several samples can be counted."""


def counts_votes(scorers: Sequence[str]) -> bool:
    """Whether the samples of an item that has these scorers have a majority."""
    return len(scorers) == 1 and scorers[0] in _VOTING


def find_repeat_metrics(cell: Evaluation, scorers: Sequence[str]) -> tuple[str, ...]:
    """The metrics that several samples of an item have together."""
    return list_repeat_metrics(cell.variant.block.repeats, votes=counts_votes(scorers))


def check_repeats(cell: Evaluation, scorers: Sequence[str], found: Diagnostics) -> None:
    """Add to `found` that several samples are of no use where options are compared by their likelihood."""
    if cell.variant.block.repeats == 1 or cell.model.block.api != "completions" or "choice" not in scorers:
        return
    found.error(
        "bad-value",
        "`repeats` has no use where options are compared by their likelihood: it is the same each time",
        cell.variant.fields.spans["repeats",].key,
        about=f"eval {cell.eval}",
        also=[(cell.model.fields.spans["api",].value, "likelihoods are compared because of this")],
        help=["leave out `repeats`, or ask for a reply: `api = chat`"],
    )
