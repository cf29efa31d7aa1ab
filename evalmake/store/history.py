"""The history of an action: what its records come to."""

from __future__ import annotations

from dataclasses import replace

from evalmake.planner.action import ActionResult
from evalmake.planner.staleness import ActionHistory

_OF_RESULT = ("success", "blobs", "scores", "metric", "started", "finished", "seconds", "usage", "accepted")


def extend_history(before: ActionHistory | None, result: ActionResult, record: str) -> ActionHistory:
    """The history after one more attempt; `record` is the digest of its record."""
    succeeded = result.status == "succeeded"
    if before is not None and not succeeded:
        before = replace(before, detail=result.detail, cause_kind=result.cause_kind)
        return replace(before, attempts=result.attempt, last=result.status, record=record)
    return ActionHistory(
        result.action,
        result.attempt,
        result.status,
        result.detail,
        result.attempt if succeeded else None,
        tuple(output.sha256 for output in result.outputs) if succeeded else (),
        result.scores,
        result.metric,
        result.started,
        result.finished,
        result.seconds,
        result.usage,
        result.facts.get("accepted-because", ""),
        record=record,
        cause_kind=result.cause_kind,
    )


def agree(stored: ActionHistory, made: ActionHistory) -> bool:
    """Whether a stored history is the one that records make. Only a stored one knows of a rerun that is wanted."""
    return replace(stored, last=made.last, detail=made.detail, cause_kind=made.cause_kind, rerun=None) == made


def is_proved_by(head: ActionHistory, record: ActionResult) -> bool:
    """Whether the record of the result that counts says what the history says of it."""
    proved = extend_history(None, record, head.record)
    return all(getattr(head, name) == getattr(proved, name) for name in _OF_RESULT)
