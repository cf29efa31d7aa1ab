"""Appends attempts of another store to this one, with the records as they were written there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from evalmake.planner.action import ActionResult
from evalmake.planner.digest import Part
from evalmake.store.store import Store


class Merged(Enum):
    """What became of the attempts of an action."""

    ADDED = "added"
    KNOWN = "known"
    CONFLICT = "conflict"
    """The store has other attempts of the action, which stay: attempts are never replaced or numbered anew."""


def append_attempts(
    store: Store,
    attempts: Sequence[tuple[ActionResult, str]],
    parts: Mapping[str, Part],
    outputs: Mapping[str, Path],
) -> Merged:
    """Append attempts of one action, oldest first, with the texts of their records; call it within a transaction.

    `outputs` are files by the sha256 of their content.
    """
    action = attempts[0][0].action
    texts = {record.attempt: text for record, text in attempts}
    known = {number: store.record_text(action, number) for number in store.attempt_numbers(action)}
    if any(texts.get(number, text) != text for number, text in known.items()):
        return Merged.CONFLICT
    new = [record for record, _ in attempts if record.attempt not in known]
    if not new:
        return Merged.KNOWN
    if known and max(known) >= min(record.attempt for record in new):
        return Merged.CONFLICT
    for record in new:
        for part in record.identity.values():
            if store.part(part) is None:
                store.put_walk(f"part/{part}", dict(parts[part].pairs))
        for output in record.outputs:
            if (path := outputs.get(output.sha256)) is not None:
                store.blobs.put(output.name, path)
        store.database.put(f"record/{action}/{record.attempt}", texts[record.attempt], "record")
    store.distrust_history(action)
    return Merged.ADDED
