"""A store made from evidence, in which a build finds what the first build left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evalmake.evidence import layout
from evalmake.evidence.material import StoredRecord
from evalmake.evidence_checks.folder import EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.planner.action import Action
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.store import Store


def fill_store(
    store: Store, folder: EvidenceFolder, evaluations: Sequence[ProvedEvaluation], rows: Mapping[str, bytes]
) -> None:
    """Append every attempt of the evidence, oldest first. `rows` are the samples of evaluations without texts."""
    known: set[tuple[str, int]] = set()
    for one in evaluations:
        for record in (*one.earlier, *one.attempts):
            key = (record.result.action, record.result.attempt)
            if key in known:
                continue
            known.add(key)
            counts = record.result == one.counting
            store.commit(_find_action(one, record), record.result, _find_outputs(folder, one, rows) if counts else {})


def _find_action(one: ProvedEvaluation, record: StoredRecord) -> Action:
    named = sorted((name, one.parts[part]) for name, part in record.result.identity.items())
    return Action("evaluate", tuple(named), (), record.result.action)


def _find_outputs(folder: EvidenceFolder, one: ProvedEvaluation, rows: Mapping[str, bytes]) -> dict[str, Path | bytes]:
    """The outputs that there are, by name."""
    prefix = f"{one.signed.folder}/{layout.OUTPUTS}/"
    found: dict[str, Path | bytes] = {
        name.removeprefix(prefix): folder.path / name for name in folder.files if name.startswith(prefix)
    }
    if SAMPLES not in found and one.signed.name in rows:
        found[SAMPLES] = rows[one.signed.name]
    return found
