"""What the store holds for the evaluations that words name: their results, valid or not, and their samples.

Commands that show or compare results begin here. Nothing is written, and nothing runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalmake.planner.action import ActionResult, digest_of_action
from evalmake.planner.digest import digest
from evalmake.planner.graph import Graph, Node
from evalmake.planner.staleness import ActionHistory, Decision, Reason
from evalmake.planning import make_plan
from evalmake.project.command_words import Word
from evalmake.project.targets import refuse_no_targets, select_targets
from evalmake.results import collect_results, make_item_reader
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.workspace import Workspace


class Standing(StrEnum):
    """What the result on record of an evaluation is worth."""

    VALID = "valid"
    STALE = "stale"
    """It is of an earlier definition, too old, to be made again, or falls short of what is demanded."""
    FAILED = "failed"
    """The last attempt failed or was cancelled; what is shown is an earlier result."""
    MISSING = "missing"
    """There is none."""


_LABELS = {"failed": "failed", "cancelled": "cancelled", "never run": "never run"}


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What the store holds for one evaluation."""

    node: Node
    standing: Standing
    reasons: tuple[Reason, ...]  # why it is not valid; none if it is
    history: ActionHistory | None  # of the result that there is, or of an attempt that failed, or None
    definition: str = ""  # of an earlier definition, a digest of all of it but the seed

    @property
    def label(self) -> str:
        """How it is marked where its scores are shown: `stale: changed`, `failed`; empty if it is valid."""
        word = self.word.replace("-", " ")
        return "" if self.standing is Standing.VALID else _LABELS.get(word, f"{self.standing}: {word}")

    @property
    def name(self) -> str:
        """The path of the cell."""
        return self.node.name

    @property
    def word(self) -> str:
        """Why it is not valid, in a word: `changed`, `too-old`, `failed`, `never-run`; empty if it is."""
        return self.reasons[0].kind if self.reasons else ""

    @property
    def has_scores(self) -> bool:
        """Whether an attempt has succeeded, so that there are scores."""
        return self.history is not None and self.history.success is not None


def find_stored_results(workspace: Workspace, words: Sequence[Word], store: Store) -> list[StoredResult]:
    """What the store holds for the targets that `words` name, in the order of the Evalfile; for all without words.

    The cells of a report count as named. EvalmakeError for a word that names nothing.
    """
    graph = workspace.unchecked_graph_of(select_targets(workspace.project, workspace.cells, words))
    refuse_no_targets(workspace.project)
    return judge_stored_results(workspace, list(graph.nodes.values()), store)


def judge_stored_results(workspace: Workspace, nodes: Sequence[Node], store: Store) -> list[StoredResult]:
    """What the store holds for these evaluations."""
    plan = make_plan(workspace, Graph({node.name: node for node in nodes}), store)
    return [_judge(node, plan.decision(node.name), store) for node in nodes]


def _judge(node: Node, decision: Decision, store: Store) -> StoredResult:
    head, reasons = decision.head, decision.reasons
    if not reasons:
        return StoredResult(node, Standing.VALID, (), head)
    if head is not None and head.success is not None:
        return StoredResult(node, Standing.STALE, reasons, head)
    earlier, definition = _find_earlier(node, store)
    if earlier is not None and earlier.success is not None:
        failed = reasons[0].kind in ("failed", "cancelled")
        return StoredResult(node, Standing.FAILED if failed else Standing.STALE, reasons, earlier, definition)
    tried = head or earlier
    return StoredResult(node, Standing.MISSING, reasons, tried if tried and not store.damage(tried.action) else None)


def _find_earlier(node: Node, store: Store) -> tuple[ActionHistory | None, str]:
    """The history of the definition whose result was last valid for a cell, or else that was last tried; and which."""
    parts = store.baseline(node.name)
    action = digest_of_action(node.action.kind, parts) if parts else node.action.digest
    head = store.history(action) if action != node.action.digest else None
    if head is None or parts is None or store.damage(action) or store.find_damage(head):
        return None, ""
    cell = store.part(parts.get("", "")) or {}
    others = [(path, text) for path, text in cell.items() if path != "seed"]
    return head, digest([*((name, one) for name, one in sorted(parts.items()) if name), *others])


# Scores ----------------------------------------------------------------------------------------------


def collect_stored_scores(
    workspace: Workspace,
    stored: Sequence[StoredResult],
    title: str = "",
    rows: str = "model",
    column: str = "benchmark",
) -> ResultSet:
    """The scores of these results as tables show them, whether they are valid or not: say which are not."""
    known = {one.name: one.history if one.has_scores else None for one in stored}
    return collect_results(
        title,
        [one.node for one in stored],
        known,
        frozenset(),
        "",
        (),
        rows,
        column,
        workspace.project.settings.confidence,
        read_items=make_item_reader(workspace.store_folder),
    )


# Samples ---------------------------------------------------------------------------------------------


def find_attempt(store: Store, stored: StoredResult) -> ActionResult | None:
    """The record of the result, or else of the last attempt, which may have left samples; None without any."""
    head = stored.history
    if head is None:
        return None
    return store.proved_result(head) if head.success is not None else store.attempt(head.action, head.attempts)
