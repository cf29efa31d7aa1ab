"""Checks of the keys `task`, `fewshot` and `dataset` that several harnesses share."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import Files
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


def refuse_dataset(benchmark: Declaration, reason: str, help: str, diagnostics: Diagnostics) -> None:
    """Add an error to `diagnostics` for `dataset` and `digest`, where the harness has its data from elsewhere."""
    for key in ("dataset", "digest"):
        if getattr(benchmark.block, key) is not None:
            _report_unused(benchmark, key, reason, help, diagnostics)


def refuse_dataset_files(benchmark: Declaration, diagnostics: Diagnostics) -> None:
    """Add an error to `diagnostics` if `dataset` has files: the task reads its own data, which an address names."""
    if isinstance(benchmark.block.dataset, Files):
        reason = "the task reads its own data, and `dataset` only says which, as an address"
        _report_unused(benchmark, "dataset", reason, "files that the task reads belong in `files`", diagnostics)


def _report_unused(benchmark: Declaration, key: str, reason: str, help: str, diagnostics: Diagnostics) -> None:
    written = benchmark.fields.spans[key,]
    inherited = [f"or take it away here: `{key} = none`"] if written.origin != "own" else []
    diagnostics.error(
        "unused-key",
        f"`{key}` would change nothing: {reason}",
        written.key,
        about=f"benchmark {benchmark.name}",
        help=[help, *inherited],
    )
