"""The results on record: for the end of a build, for reports and for `show`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TypeGuard

from evalmake.planner.graph import Node
from evalmake.planner.staleness import ActionHistory
from evalmake.project.matrix import Evaluation
from evalmake.scoring.result_set import GateResult, Item, Result, ResultSet
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.store import Store


def collect_results(
    title: str,
    nodes: Sequence[Node],
    histories: Mapping[str, ActionHistory | None],
    ran: frozenset[str],
    plan: str,
    gates: Sequence[GateResult] = (),
    rows: str = "model",
    column: str = "benchmark",
    confidence: float | None = None,
    compare: str = "",
) -> ResultSet:
    """The results of `nodes` that are on record, as a report takes them; `ran` are the cells that this build ran."""
    known = [(node, histories.get(node.name)) for node in nodes]
    results = [_result(node.evaluation, history, ran) for node, history in known if _has_result(history)]
    missing = [node.name for node, history in known if not _has_result(history)]
    return ResultSet(
        title, tuple(results), tuple(gates), tuple(missing), plan, rows, column, confidence or 0.95, compare
    )


def _has_result(history: ActionHistory | None) -> TypeGuard[ActionHistory]:
    return history is not None and history.success is not None


def _result(cell: Evaluation, history: ActionHistory, ran: frozenset[str]) -> Result:
    return Result(
        name=cell.name,
        eval=cell.eval,
        axes=cell.axes,
        model=cell.model.name,
        benchmark=cell.benchmark.name,
        seed=cell.seed,
        metric=cell.benchmark.block.metric or history.metric,
        scores=history.scores,
        action=history.action,
        attempt=history.success or 0,
        attempts=history.attempts,
        reused=cell.name not in ran,
        started=history.started,
        seconds=history.seconds,
        usage=dict(history.usage),
    )


def make_item_reader(store: Store) -> Callable[[Result], tuple[Item, ...] | None]:
    """A function from a result to its items, or None if its harness left none. Each file is read once."""

    @cache
    def read(action: str, attempt: int) -> tuple[Item, ...] | None:
        record = store.attempt(action, attempt)
        names = {output.name: output.sha256 for output in record.outputs} if record else {}
        data = store.blob(names[SAMPLES]) if SAMPLES in names else None
        if data is None:
            return None
        return tuple(item for line in data.split(b"\n") if (item := _parse_item(line)) is not None)

    return lambda result: read(result.action, result.attempt)


def _parse_item(line: bytes) -> Item | None:
    """The item of one line of samples; None if it has no id, or no hash of its content."""
    try:
        row = json.loads(line)
        scores = {str(k): float(v) for k, v in (row.get("scores") or {}).items() if v is not None}
        cluster = row.get("cluster")
        if not row["item"]:
            return None
        return Item(str(row["id"]), str(row["item"]), scores, None if cluster is None else str(cluster))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
