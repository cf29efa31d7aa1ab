"""Proves scores by stored outputs: harnesses read them again, as they did after the run, for `evalmake verify`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from evalmake.planner.action import ActionResult, Artifact
from evalmake.planner.graph import Node
from evalmake.planning import distinct_actions
from evalmake.plugin_api.harness import Harness, Outcome
from evalmake.provenance.attempt import ATTEMPT
from evalmake.provenance.build import BUILD
from evalmake.run.gateways.sessions import USAGE_FOLDERS
from evalmake.run.job_outputs import LOG, OUT
from evalmake.scoring.numbers import is_nearly_equal
from evalmake.scoring.score import Score
from evalmake.store.records import UnreadableRecord
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_DECIMALS = (2, 4)
"""To how many decimals programs round their means, of which an earlier evalmake did not read the samples."""


def find_contradictions(workspace: Workspace, nodes: Sequence[Node], store: Store) -> Iterator[str]:
    """Yield the results that count of which the stored outputs say something else, with what they say.

    A result that was accepted for another definition has outputs of the definition that it ran with: left out.
    """
    for node in distinct_actions(nodes):
        head = store.history(node.action.digest)
        if head is None or head.success is None:
            continue
        try:
            record = store.proved_result(head)
        except UnreadableRecord:
            continue  # which `verify_store` says
        if "accepted-from" in record.facts:
            continue
        harness = workspace.plugins.get("harnesses", node.evaluation.benchmark.block.harness)()
        if difference := _compare_scores(record.scores, read_again(harness, node, record, store)):
            yield f"{record.name} (attempt {record.attempt}): {difference}"


def read_again(
    harness: Harness,
    node: Node,
    record: ActionResult,
    store: Store,
    finish: Callable[[Outcome, Path], Outcome] = lambda outcome, folder: outcome,
) -> Outcome | None:
    """What the harness reads in the stored outputs; None where some are lost, or cannot be written.

    `finish` is called with it, and with the folder in which the outputs lie as the job left them.
    """
    with TemporaryDirectory(prefix="evalmake-verify-") as folder:
        if not _write_outputs(record, store, Path(folder)):
            return None
        try:
            outcome = harness.outcome(node.evaluation, Path(folder) / OUT, 0)
        except Exception as error:  # a harness's own code meets what a program of somebody else's wrote
            return Outcome(error=str(error) or type(error).__name__)
        return finish(outcome, Path(folder))


def _write_outputs(record: ActionResult, store: Store, folder: Path) -> bool:
    """Write the outputs of an attempt as its job left them; False where one is lost, or cannot be written."""
    (folder / OUT).mkdir()
    try:
        return all(_write_output(output, store, folder) for output in record.outputs)
    except OSError:
        return False


def _write_output(output: Artifact, store: Store, folder: Path) -> bool:
    """Write one output, unless its name leads out of the folder; False where it is lost."""
    if ".." in PurePosixPath(output.name).parts or output.name.startswith("/"):
        return True
    is_beside = output.name in (LOG, BUILD, ATTEMPT) or output.name.partition("/")[0] in USAGE_FOLDERS.values()
    path = folder / output.name if is_beside else folder / OUT / output.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if source := store.blobs.path(output.sha256):
        shutil.copyfile(source, path)
        return True
    if (data := store.blob(output.sha256)) is not None:
        path.write_bytes(data)
        return True
    return False


def _compare_scores(recorded: Sequence[Score], outcome: Outcome | None) -> str:
    """The first recorded score that the outputs do not have; empty if they have all."""
    if outcome is None:
        return ""
    found = {score.metric: score for score in outcome.scores}
    for score in recorded:
        if score.metric not in found:
            why = f": {outcome.error}" if outcome.error else ""
            return f"{score.metric} is on record, and not in its outputs{why}"
        if not _is_same(score, found[score.metric]):
            told = f"{_show(score.value)} on record, and {_show(found[score.metric].value)} by its outputs"
            return f"{score.metric} is {told}"
    return ""


def _is_same(recorded: Score, found: Score) -> bool:
    """Whether the outputs have the value; one that was read without its samples may be the rounded mean of them."""
    one, other = recorded.value, found.value
    if one is None or other is None:
        return one is other
    rounded = [round(other, decimals) for decimals in _DECIMALS] if found.scored and not recorded.scored else []
    return any(is_nearly_equal(one, value) for value in (other, *rounded))


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
