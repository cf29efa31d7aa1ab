"""A store made from evidence, in which a build finds what the first build left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalmake.evidence.material import StoredRecord
from evalmake.evidence_checks.findings import Findings
from evalmake.evidence_checks.folder import EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation, read_build, read_proved
from evalmake.evidence_checks.samples import check_samples
from evalmake.evidence_checks.sources import open_sources
from evalmake.planner.action import Action
from evalmake.planner.graph import Graph
from evalmake.project.targets import Selection
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.origin import EVALFILE
from evalmake.store.store import Store
from evalmake.workspace import Workspace


@contextmanager
def open_evidence(path: Path, scratch: Path) -> Iterator[tuple[Workspace, Graph, Store]]:
    """A store that has what evidence tells, the Evalfile of that, and the graph of its evaluations.

    Nothing is checked that `verify` checks. BadEvidence where it is none, EvalmakeError where its Evalfile does not
    load.
    """
    folder = EvidenceFolder.open(path)
    proved = read_proved(folder)
    rows = check_samples(folder, proved, read_build(folder), Findings()).rows
    workspace, _ = open_sources(path, scratch)
    names = {one.signed.name for one in proved}
    cells = {cell.name: cell for group in workspace.cells.values() for cell in group if cell.name in names}
    # Attempts are told of the Evalfile that made them, by the path that it had from its store.
    known = (record.result.facts.get(EVALFILE) for one in proved for record in one.attempts)
    with Store.open(scratch / "store", next(filter(None, known), workspace.evalfile_key)) as store:
        fill_store(store, folder, proved, rows)
        yield workspace, workspace.graph_of(Selection(cells, {})), store


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
            outputs: dict[str, Path | bytes] = {
                output.name: folder.path / path
                for path, output in one.list_kept(record.result).items()
                if folder.has(path)
            }
            if record.result == one.counting and SAMPLES not in outputs and one.signed.name in rows:
                outputs[SAMPLES] = rows[one.signed.name]
            store.commit(_find_action(one, record), record.result, outputs)


def _find_action(one: ProvedEvaluation, record: StoredRecord) -> Action:
    named = sorted((name, one.parts[part]) for name, part in record.result.identity.items())
    return Action("evaluate", tuple(named), (), record.result.action)
