"""Finds the stored replies that an evaluation can score again: those of its last valid result.

Its requests are the same where the identities of both agree once what only scores is left out of them. Whether each
reply is there is for the job to see.
"""

from __future__ import annotations

from collections.abc import Mapping

from evalmake.planner.action import ActionResult, digest_of_action
from evalmake.planner.graph import Node
from evalmake.planner.staleness import ActionHistory
from evalmake.planner.stored_replies import REPLIES_OF, StoredReplies
from evalmake.plugin_api.harness import ScoresAgain
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.records import UnreadableRecord
from evalmake.store.store import Store

_NOT_FOUND: tuple[None, str] = (None, "")


def find_stored_replies(node: Node, store: Store, plugins: PluginRegistry) -> tuple[StoredReplies | None, str]:
    """The replies, or None, and then why there are none, where only what scores has changed."""
    cell = node.evaluation
    harness = plugins.get("harnesses", cell.benchmark.block.harness)
    before = store.baseline(node.name)
    if before is None or cell.benchmark.unasked or not isinstance(harness, ScoresAgain):
        return _NOT_FOUND
    wanted = harness.leave_out_scoring({name: dict(part.pairs) for name, part in node.action.parts})
    if wanted is None or harness.leave_out_scoring(_read_walks(node, before, store)) != wanted:
        return _NOT_FOUND
    if cell.model.block.max_age is not None:
        return None, "`max_age` is for replies, too"
    head = store.history(digest_of_action("evaluate", before))
    if head is None or head.success is None:
        return _NOT_FOUND
    if reason := _find_lack(head, store):
        return None, reason
    try:
        return _describe_replies(store.proved_result(head))
    except UnreadableRecord:
        return None, "the record of the last result is damaged"


def _read_walks(node: Node, before: Mapping[str, str], store: Store) -> dict[str, dict[str, str]]:
    """The walks of the parts of an earlier identity. Only those are read that have changed."""
    now = dict(node.action.parts)
    return {
        name: dict(now[name].pairs) if name in now and now[name].digest == digest else dict(store.part(digest) or {})
        for name, digest in before.items()
    }


def _find_lack(head: ActionHistory, store: Store) -> str:
    """Why the replies of a result are not all that it takes; empty if they may be."""
    samples, replies = (int(head.usage.get(name, 0)) for name in ("samples", "replies"))
    if head.accepted:
        return "the last result was accepted for another definition"
    if head.rerun is not None:
        return "a rerun of the last result is wanted"
    if store.find_damage(head):
        return "the last result is damaged"
    if replies < samples:
        return f"{samples - replies} of {samples} samples have no reply"
    return "" if samples else "the record of the last result does not count its replies"


def _describe_replies(record: ActionResult) -> tuple[StoredReplies | None, str]:
    samples = next((output.sha256 for output in record.outputs if output.name == SAMPLES), "")
    if not samples:
        return None, "the last result has no samples"
    action, _, attempt = record.facts.get(REPLIES_OF, f"{record.action}/{record.attempt}").rpartition("/")
    return StoredReplies(action, int(attempt), samples, int(record.usage["replies"])), ""
