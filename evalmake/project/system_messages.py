"""The system message of an evaluation's requests: what is sent, whose word it is, and what it replaces.

An adapter acts on what a harness sends, so its system message counts beside or above that of the benchmark's own key.
Of several adapters, the eval's beats the benchmark's, and that the model's.
"""

from __future__ import annotations

from dataclasses import dataclass

from evalmake.language.source import Span
from evalmake.project.adapter import merge_adapters
from evalmake.project.fields import Fields
from evalmake.project.matrix import Evaluation


@dataclass(frozen=True, slots=True)
class DeclaredSystem:
    """A system message as one declaration gives it; `owner` is "eval e", or "adapter of eval e"."""

    text: str
    owner: str
    key: Span
    span: Span
    origin: str


@dataclass(frozen=True, slots=True)
class SentSystem:
    """The system message that is sent: of the `winner`, and of the benchmark's key where `beside` has it, too."""

    text: str
    winner: DeclaredSystem
    beside: DeclaredSystem | None
    overruled: tuple[DeclaredSystem, ...]
    replaced: DeclaredSystem | None
    """The benchmark's own `system`, if the adapter's stands in its place."""


def find_sent_system(cell: Evaluation) -> SentSystem | None:
    """The system message of a cell's requests, if a declaration has one."""
    own, adapters = _find_own(cell), _list_of_adapters(cell)
    if not adapters:
        return SentSystem(own.text, own, None, (), None) if own else None
    *overruled, winner = adapters
    if own is None:
        return SentSystem(winner.text, winner, None, tuple(overruled), None)
    if cell.model.block.api == "completions":  # there, the adapter's is put before the whole prompt
        return SentSystem(f"{winner.text}\n\n{own.text}", winner, own, tuple(overruled), None)
    blocks = (cell.model.block, cell.benchmark.block, cell.variant.block)
    mode = merge_adapters(*(block.adapter for block in blocks)).get("system_mode", "replace")
    if mode == "replace":
        return SentSystem(winner.text, winner, None, tuple(overruled), own)
    texts = (winner.text, own.text) if mode == "prepend" else (own.text, winner.text)
    return SentSystem("\n".join(texts), winner, own, tuple(overruled), None)


def _find_own(cell: Evaluation) -> DeclaredSystem | None:
    """That of the benchmark's key `system`, which only some harnesses have."""
    text, fields = getattr(cell.benchmark.settings, "system", None), cell.benchmark.fields
    written = fields.spans.get(("system",))
    if text is None or written is None:
        return None
    return DeclaredSystem(text, f"benchmark {cell.benchmark.name}", written.key, written.value, written.origin)


def _list_of_adapters(cell: Evaluation) -> list[DeclaredSystem]:
    """Those of adapters; a later one beats an earlier one."""
    owners: tuple[tuple[str, object, Fields], ...] = (
        (f"model {cell.model.name}", cell.model.block.adapter.system, cell.model.fields),
        (f"benchmark {cell.benchmark.name}", cell.benchmark.block.adapter.system, cell.benchmark.fields),
        (f"eval {cell.eval}", cell.variant.block.adapter.system, cell.variant.fields),
    )
    found = []
    for owner, text, fields in owners:
        if text is not None:
            written = fields.spans.get(("adapter", "system")) or fields.spans["adapter",]
            found.append(DeclaredSystem(str(text), f"adapter of {owner}", written.key, written.value, written.origin))
    return found
