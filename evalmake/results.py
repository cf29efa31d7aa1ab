"""Collects results from the store, for the end of a build, for reports and for `show`."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

from xxhash import xxh3_64_hexdigest

from evalmake.planner.action import ActionResult
from evalmake.planner.digest import describe_text, is_container_size
from evalmake.planner.graph import Node
from evalmake.planner.staleness import ActionHistory, find_lack
from evalmake.project.matrix import Evaluation
from evalmake.run.log_tail import last_lines
from evalmake.scoring.headline import MetricKind, find_metric
from evalmake.scoring.lack import Lack
from evalmake.scoring.result_set import GateResult, Item, Result, ResultSet
from evalmake.scoring.sample_counts import REPLY_KEY, SAMPLES, digest_question, read_weight
from evalmake.store.failure import DamagedOutput
from evalmake.store.store import Store

_DECODER = json.JSONDecoder()
_KEPT = 32
"""So many evaluations' items are held in memory at a time."""


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
    read_items: Callable[[str, int], Sequence[Item] | None] = lambda action, attempt: None,
    read_facts: Callable[[ActionHistory], Mapping[str, str]] = lambda history: {},
) -> ResultSet:
    """Return the stored results of `nodes` as a report shows them. `ran` names the cells that this build ran."""
    known = [(node, histories.get(node.name)) for node in nodes]
    comparable = bool(compare) or len({node.evaluation.model.name for node in nodes}) > 1
    seeds = Counter(node.evaluation.address for node in nodes)
    found = Counter(node.evaluation.address for node, history in known if _has_result(history))
    results = [
        replace(
            _result(node, history, ran, comparable),
            facts=read_facts(history),
            seeds=(found[node.evaluation.address], seeds[node.evaluation.address]),
        )
        for node, history in known
        if _has_result(history)
    ]
    missing = [node.name for node, history in known if not _has_result(history)]
    return ResultSet(
        title,
        tuple(results),
        tuple(gates),
        tuple(missing),
        plan,
        rows,
        column,
        confidence or 0.95,
        compare,
        lambda result: read_items(result.action, result.attempt),
    )


def _has_result(history: ActionHistory | None) -> TypeGuard[ActionHistory]:
    return history is not None and history.success is not None


def _result(node: Node, history: ActionHistory, ran: frozenset[str], settings: bool) -> Result:
    cell = node.evaluation
    return Result(
        name=cell.name,
        eval=cell.eval,
        axes=cell.axes,
        model=cell.model.name,
        benchmark=cell.benchmark_name,
        seed=cell.seed,
        metric=find_headline(cell, history),
        scores=history.scores,
        action=history.action,
        attempt=history.success or 0,
        attempts=history.attempts,
        reused=cell.name not in ran,
        started=history.started,
        seconds=history.seconds,
        usage=dict(history.usage),
        harness=cell.benchmark.block.harness,
        confidence=cell.variant.block.confidence,
        settings=_describe_settings(node) if settings else {},
        kind=MetricKind(cell.benchmark.block.scale, cell.benchmark.block.better),
    )


def find_headline(cell: Evaluation, history: ActionHistory) -> str:
    """The headline metric of a result: the one that the benchmark names, or else the result's own."""
    wanted = cell.benchmark.block.metric
    return (find_metric(wanted, (score.metric for score in history.scores)) or wanted) if wanted else history.metric


def _describe_settings(node: Node) -> dict[str, str]:
    """What can differ between evaluations that are compared, as short text: limit, sampling, prompt, adapter.

    The model is what is compared, so only its adapter is of interest; seeds are averaged.
    """
    pairs = {
        f"{place}{path}": text
        for name, place in (("", ""), ("benchmark", ""), ("model", "the model's "))
        for path, text in dict(node.action.parts)[name].pairs
        if (path.startswith(("api", "adapter.")) if name == "model" else path not in ("", "seed"))
    }
    return {path: describe_text(text) for path, text in pairs.items() if not is_container_size(text)}


def make_fact_reader(store: Store) -> Callable[[ActionHistory], Mapping[str, str]]:
    """A function from a history to the facts of the result that counts, whose record must prove it."""

    def read(history: ActionHistory) -> Mapping[str, str]:
        return store.proved_result(history).facts

    return read


def make_lack_reader(nodes: Sequence[Node], store: Store, redact: Callable[[bytes], bytes]) -> Callable[[str], Lack]:
    """A function from the name of a cell to why it has no result that counts, with the end of its log."""
    by_name = {node.name: node for node in nodes}

    def read(name: str) -> Lack:
        node = by_name[name]
        head = store.history(node.action.digest)
        if head is None:
            return Lack()
        kind = head.last if head.success is None else "rerun" if head.rerun is not None else "fell-short"
        attempt = store.attempt(head.action, head.attempts)
        log = (store.output(attempt, "log") if attempt else None) or b""
        reason = redact((find_lack(node.demands, head) or kind).encode(errors="replace")).decode(errors="replace")
        return Lack(kind, reason, attempt.seconds if attempt else 0.0, last_lines(redact(log)))

    return read


def make_item_reader(folder: Path) -> Callable[[str, int], tuple[Item, ...] | None]:
    """Return a function from action and attempt to the items, or None if the harness left none.

    The last few are kept, as rows are compared with one baseline. The store is open only while it is read.
    """

    @lru_cache(maxsize=_KEPT)
    def read(action: str, attempt: int) -> tuple[Item, ...] | None:
        with Store.read(folder) as store:
            record = store.attempt(action, attempt)
            data = store.output(record, SAMPLES) if record else None
        if data is None:
            return None
        return tuple(item for line in data.split(b"\n") if (item := _parse_item(line)) is not None)

    return read


def _parse_line(line: bytes) -> Any:
    """What `json.loads` makes of a line; the object in UTF-8 that it almost always is, sooner."""
    if line[:2] == b'{"':
        return _DECODER.decode(line.decode("utf-8", "surrogatepass"))
    return json.loads(line)


def _parse_item(line: bytes) -> Item | None:
    """The item of one line of samples; None if it has no id. Without a hash of its content, the id alone tells it."""
    try:
        row = _parse_line(line)
        scores = {str(k): float(v) for k, v in (row.get("scores") or {}).items() if v is not None}
        cluster, reply = row.get("cluster"), row.get("reply", row.get(REPLY_KEY))
        if row["id"] is None or not all(map(math.isfinite, scores.values())):
            return None
        return Item(
            str(row["id"]),
            str(row.get("item") or ""),
            scores,
            None if cluster is None else str(cluster),
            None if reply is None else xxh3_64_hexdigest(str(reply).encode(errors="replace")),
            digest_question(row),
            read_weight(row),
            tuple(map(str, row.get("tags") or ())),
            *(_read_quantity(row.get(name)) for name in ("latency", "tokens_in", "tokens_out")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _read_quantity(value: object) -> float | None:
    """A number that is not negative; None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value < math.inf else None  # type: ignore[operator,return-value]


def read_sample_lines(store: Store, record: ActionResult) -> Iterator[bytes]:
    """The lines of an attempt's samples, one at a time; DamagedOutput before the first if one of them was changed.

    Their form is that of `evalmake/harnesses/samples.py`, whichever harness ran; a program may leave other lines, too.
    """
    digests: Mapping[str, str] = {output.name: output.sha256 for output in record.outputs}
    if SAMPLES not in digests:
        return
    stream = store.blobs.open(digests[SAMPLES])
    if stream is None:
        reason = f"{SAMPLES} of {record.name} is missing or damaged"
        raise DamagedOutput(store.folder, digests[SAMPLES], reason)
    with closing(stream):
        yield from stream
