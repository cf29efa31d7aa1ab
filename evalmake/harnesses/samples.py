"""`samples.jsonl`: the common form of every harness's samples.

A row is one request of one item:

    {"id": "gsm8k/17",          the item's name, unique within the evaluation
     "item": "9f2c...",         a hash of the item's content: the same in every run of the item
     "repetition": 1,           from 1: the epoch or repeat of the item
     "scores": {"acc": 1.0},    metric -> finite number; an unscored metric is absent
     "error": null,             why there is no reply; then there are no scores
     "cause_kind": null,        of what kind the error is (`CauseKind` of scoring/unscored_causes.py); may be absent
     "cluster": null,           shared by items that belong together (one passage, one author)
     "weight": 2.0,             what the item counts in means; 1 where it is absent
     "tags": ["geo"],           groups that it belongs to; may be absent
     "target": ..., "reply": "...",
     "tokens_in": 12, "tokens_out": 3, "latency": 0.21 (seconds), "finish_reason": "stop"}

An unknown value is null. The native harness writes these fields, and some more.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

from evalmake.language.atomic_write import write_atomic
from evalmake.scoring.intervals import mean_se
from evalmake.scoring.item import clustered_se
from evalmake.scoring.numbers import is_nearly_equal
from evalmake.scoring.score import Score
from evalmake.scoring.unscored_causes import NO_CAUSE, Cause, describe_cause, find_kind_of_status


@dataclass(frozen=True, slots=True)
class Row:
    """One request of one item; the module's docstring explains the fields."""

    id: str
    item: str
    scores: Mapping[str, float]
    repetition: int = 1
    error: str | None = None
    cluster: str | None = None
    target: Any = None
    reply: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency: float | None = None
    finish_reason: str | None = None

    def __post_init__(self) -> None:
        for metric, value in self.scores.items():
            if not math.isfinite(value):
                raise ValueError(f"{self.id}: {metric} is {value}: leave out what was not scored")


def write_samples(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` to `path` atomically, one line each."""
    lines = [json.dumps(asdict(row), ensure_ascii=False, default=str) + "\n" for row in rows]
    write_atomic(path, "".join(lines).encode("utf-8", "surrogatepass"))


def score_from_samples(
    rows: Sequence[Row],
    metric: str,
    reported_stderr: float | None = None,
    reported_value: float | None = None,
) -> Score:
    """Score `metric` over the items, after averaging the repetitions of each item.

    The standard error is computed from the items, cluster-robust where they have clusters; the
    harness's own is kept as reported. Where `reported_value` is not the mean of the items (BLEU, a
    median), value and standard error are the harness's: the formula of a mean does not apply.
    `scored` and `unscored` count items.
    """
    items: dict[str, list[float]] = defaultdict(list)
    clusters: dict[str, str | None] = {}
    for row in rows:
        clusters[row.id] = row.cluster
        if metric in row.scores:
            items[row.id].append(row.scores[metric])
    means = [math.fsum(values) / len(values) for values in items.values()]
    estimate = mean_se(means)
    stderr, grouped = estimate.stderr, None
    if any(clusters[id] is not None for id in items):
        groups = [clusters[id] or id for id in items]
        stderr, grouped = clustered_se(means, groups), len(set(groups))
    value, unscored = estimate.mean, len(clusters) - len(items)
    if reported_value is not None and (value is None or not is_nearly_equal(value, reported_value)):
        value, stderr, grouped = reported_value, reported_stderr, None
    return Score(
        metric,
        value,
        stderr,
        scored=len(items),
        unscored=unscored,
        reported=reported_stderr,
        clusters=grouped,
    )


class GatewayRequests:
    """The gateway's records of an evaluation's requests, matched with samples by prompt.

    Records of equal prompts are returned in the order in which they were sent.
    """

    def __init__(self, path: Path, token_prompts: Iterable[tuple[str, str]] = ()) -> None:
        """`path` is the gateway's requests.jsonl; without that file nothing matches.

        `token_prompts` are pairs of digests: of a text, and of a prompt of token ids that was sent for it.
        """
        self._sent_as: dict[str, set[str]] = defaultdict(set)
        for text, prompt in token_prompts:
            self._sent_as[text].add(prompt)
        self._rows: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
        for line in _read_lines(path):
            try:
                row = json.loads(line)
                if 200 <= row["status"] < 300 and not str(row.get("path")).endswith("tokenize"):
                    self._rows[row["prompt"]].append(row)
            except (ValueError, TypeError, KeyError):
                continue

    def match(self, prompts: Iterable[str]) -> dict[str, Any]:
        """Return fields of a Row for these prompts: sums, and the last finish reason."""
        found = [row for prompt in prompts for row in self._pop(prompt)]
        if not found:
            return {}
        used = {
            "tokens_in": _sum_field(found, "tokens_in"),
            "tokens_out": _sum_field(found, "tokens_out"),
            "latency": _sum_field(found, "seconds"),
            "finish_reason": None if found[-1].get("one_token") else found[-1].get("finish"),
        }
        return {key: value for key, value in used.items() if value is not None}

    def _pop(self, prompt: str) -> Iterator[Mapping[str, Any]]:
        """Remove and yield the first record of a prompt; some clients send it as a list of one, or as token ids."""
        text, listed = (_digest_text(form) for form in (prompt, json.dumps([prompt], ensure_ascii=False)))
        for digest in (text, listed):
            if rows := self._rows.get(digest):
                yield rows.popleft()
                return
        for digest in sorted(self._sent_as.get(text, ())):
            if rows := self._rows.get(digest):
                yield rows.popleft()


def _digest_text(text: str) -> str:
    return xxh3_64_hexdigest(text.encode("utf-8", "replace"))


def read_gateway_requests(outputs: Path, token_prompts: Iterable[tuple[str, str]] = ()) -> GatewayRequests:
    """Read the gateway's records, which lie next to a job's `outputs`."""
    return GatewayRequests(outputs.parent / "gateway" / "requests.jsonl", token_prompts)


def count_unanswered_requests(outputs: Path) -> tuple[dict[str, float], Cause]:
    """How many requests for a sample there were, how many were not answered, and the most common cause.

    For harnesses that leave no samples: they may score an unanswered request as wrong. A later
    success of an equal request does not count, because equal requests may be samples of one question.
    """
    statuses: Counter[int] = Counter()
    for line in _read_lines(outputs.parent / "gateway" / "requests.jsonl"):
        try:
            row = json.loads(line)
            if "question" in row:
                statuses[row["status"]] += 1
        except (ValueError, TypeError, KeyError):
            continue
    failed = Counter({s: count for s, count in statuses.items() if not 200 <= s < 300})
    counts: dict[str, float] = {"questions": statuses.total(), "unanswered": failed.total()}
    if not failed:
        return counts, NO_CAUSE
    status, count = failed.most_common(1)[0]
    why = "the harness closed the connection" if status == 499 else f"HTTP status {status}"
    return counts, Cause(describe_cause(why, count), find_kind_of_status(status))


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _sum_field(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
    return sum(values) if values else None
