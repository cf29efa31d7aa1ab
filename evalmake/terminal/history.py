"""What `evalmake history` prints: attempts as lines and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from evalmake.planner.action import ActionResult
from evalmake.planner.stored_replies import REPLIES_OF
from evalmake.scoring.cost import format_cost, is_cost_unsure, read_cost
from evalmake.scoring.numbers import format_estimate
from evalmake.scoring.result_set import SECONDS_ON
from evalmake.scoring.sample_counts import STORED_REPLIES
from evalmake.store.origin import BENCHMARK, EVALFILE, HOST, MODEL, USER
from evalmake.terminal.plan import render_duration
from evalmake.terminal.tables import wrap_row

_WIDEST_NAME = 32


def to_text(attempts: Sequence[ActionResult], store: Path, evalfile: str, columns: int | None) -> str:
    """An entry for each attempt, wrapped to `columns`; those of other Evalfiles than `evalfile` say which."""
    width = min(_WIDEST_NAME, max((len(one.name) for one in attempts), default=0))
    return "\n".join(
        wrap_row(f"{_moment(one)}  {one.name:<{width}}  ", ", ".join(_describe(one, store, evalfile)), columns)
        for one in attempts
    )


def to_json(attempts: Iterable[ActionResult], store: Path) -> str:
    """A list of objects."""
    return json.dumps([_to_object(one, store) for one in attempts], ensure_ascii=False)


def _moment(attempt: ActionResult) -> str:
    return attempt.finished[:16].replace("T", " ")


def _describe(attempt: ActionResult, store: Path, evalfile: str) -> list[str]:
    """Result, what it took, what was measured, who did it where, and the id of the job."""
    facts, usage = attempt.facts, attempt.usage
    parts = [_describe_end(attempt), render_duration(attempt.seconds)]
    if requests := int(usage.get("requests", 0)):
        cached = int(usage.get("cached", 0))
        parts.append(f"{requests} request{'s' * (requests != 1)}" + (f" ({cached} cached)" if cached else ""))
    if stored := int(usage.get(STORED_REPLIES, 0)):
        parts.append(f"{stored} stored replies scored again")
    elif tokens := int(usage.get("tokens_in", 0) + usage.get("tokens_out", 0)):
        parts.append(f"{tokens:,} tokens")
    machines = {kind.removeprefix(SECONDS_ON): took for kind, took in usage.items() if kind.startswith(SECONDS_ON)}
    parts += [f"{seconds / 3600:.2f} h on {shape}" for shape, seconds in machines.items()]
    if cost := read_cost(usage):
        parts.append(f"{'at least ' * is_cost_unsure(usage)}{format_cost(cost)}")
    if MODEL in facts:
        parts.append(f"{facts[MODEL]} on {facts[BENCHMARK]}")
    if USER in facts:
        parts.append(f"by {facts[USER]} at {facts[HOST]}")
    if facts.get(EVALFILE, evalfile) != evalfile:
        parts.append(f"of {_find_evalfile(facts[EVALFILE], store)}")
    return [*parts, f"job {attempt.job}"]


def _describe_end(attempt: ActionResult) -> str:
    """The headline score, or how else it ended."""
    if attempt.status != "succeeded":
        detail = " ".join(attempt.detail.split())
        return f"{attempt.status}: {detail}" if detail else attempt.status
    accepted = " (accepted)" if "accepted-because" in attempt.facts else ""
    return f"{attempt.metric or 'score'} {format_estimate(_headline(attempt), None, None)}{accepted}"


def _headline(attempt: ActionResult) -> float | None:
    return next((score.value for score in attempt.scores if score.metric == attempt.metric), None)


def _find_evalfile(key: str, store: Path) -> str:
    """The path of an Evalfile: records name it by its path from the store."""
    return os.path.normpath(store.absolute() / key)


def _to_object(attempt: ActionResult, store: Path) -> dict[str, object]:
    facts = attempt.facts
    return {
        "target": attempt.name,
        "model": facts.get(MODEL),
        "benchmark": facts.get(BENCHMARK),
        "status": attempt.status,
        "detail": attempt.detail,
        "metric": attempt.metric or None,
        "score": _headline(attempt),
        "started": attempt.started,
        "finished": attempt.finished,
        "seconds": attempt.seconds,
        "usage": dict(attempt.usage),
        "user": facts.get(USER),
        "host": facts.get(HOST),
        "executor": attempt.executor,
        "job": attempt.job,
        "evalfile": _find_evalfile(facts[EVALFILE], store) if EVALFILE in facts else None,
        "accepted": facts.get("accepted-because"),
        "attempt": attempt.attempt,
        "action": attempt.action,
        "replies_of": facts.get(REPLIES_OF),
    }
