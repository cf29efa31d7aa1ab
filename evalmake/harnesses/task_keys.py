"""Checks of the keys `task` and `fewshot` that several harnesses share."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.project.declarations import Declaration


def require_task(benchmark: Declaration, help: str, diagnostics: Diagnostics) -> bool:
    """Whether the benchmark names a task; add an error with `help` to `diagnostics` if it does not."""
    if benchmark.block.task:
        return True
    diagnostics.error(
        "missing-key",
        f"the {benchmark.plugin} harness needs `task`",
        benchmark.parsed.name_span if benchmark.parsed else benchmark.span,
        about=f"benchmark {benchmark.name}",
        help=[help],
    )
    return False


def refuse_fewshot(benchmark: Declaration, reason: str, help: str, diagnostics: Diagnostics) -> None:
    """Add an error to `diagnostics` if the benchmark sets `fewshot`, which its harness cannot pass on."""
    if benchmark.block.fewshot is None:
        return
    diagnostics.error(
        "bad-value",
        f"`fewshot`: {reason}",
        benchmark.fields.spans["fewshot",].value,
        about=f"benchmark {benchmark.name}",
        help=[help],
    )
