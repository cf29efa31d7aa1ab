"""What several samples of each item say together, by a benchmark's keys: known before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.harnesses.native.majority import counts_votes
from evalmake.language.diagnostic import Diagnostics
from evalmake.project.matrix import Evaluation
from evalmake.scoring.repeated_samples import list_repeat_metrics


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
