"""Accepting a result: one that was made by another definition counts for a new one, for `evalmake accept`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from evalmake.language.diagnostic import make_error
from evalmake.planner.action import Action
from evalmake.planner.staleness import ActionHistory
from evalmake.store.origin import describe_maker
from evalmake.store.store import Store

ACCEPTED_FROM, ACCEPTED_BECAUSE, ACCEPTED_AT = "accepted-from", "accepted-because", "accepted-at"
"""Facts of the record of an acceptance. Its other times are those of the attempt whose result was accepted."""


def accept_result(store: Store, name: str, action: Action, old: ActionHistory, because: str) -> ActionHistory:
    """Let the result of `old` count for `action`, too, for this reason. Both records stay."""
    before = store.proved_result(old)
    identity = {part_name: part.digest for part_name, part in action.parts}
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    accepted = {ACCEPTED_FROM: old.action, ACCEPTED_BECAUSE: because, ACCEPTED_AT: now}
    facts = {**before.facts, **describe_maker(store.evalfile), **accepted}
    result = replace(before, action=action.digest, name=name, identity=identity, facts=facts)
    files = {output.name: store.blob(output.sha256) for output in before.outputs}
    whole = {key: data for key, data in files.items() if data is not None}
    if len(whole) < len(files):
        raise make_error("nothing-to-accept", f"an output of {name}'s earlier result is damaged")
    return store.commit(action, result, whole)
